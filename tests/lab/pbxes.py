"""The PBXes a live test runs on: an Asterisk always, a FreeSWITCH where there is one."""

import pytest

from tests.lab.freeswitch.installation import MISSING, find_freeswitch

PBXES = (
    "asterisk",
    pytest.param("freeswitch", marks=pytest.mark.skipif(find_freeswitch() is None, reason=MISSING)),
)
