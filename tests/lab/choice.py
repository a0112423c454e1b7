"""Which PBX is under test."""

import os
from pathlib import Path

from tests.lab.asterisk import AsteriskSwitch
from tests.lab.freeswitch.installation import MISSING, find_freeswitch
from tests.lab.freeswitch.server import FreeSwitchServer
from tests.lab.freeswitch.switch import FreeSwitch
from tests.lab.instance import Instance
from tests.lab.provision import Installation
from tests.lab.rendering import CHECKOUT
from tests.lab.server import LabError
from tests.lab.switch import PbxKind, Switch
from tests.lab.watch import Watch


def pbx_wanted() -> PbxKind:
    """As PBX in the environment says, else an Asterisk."""
    named = os.environ.get("PBX") or "asterisk"
    if named not in {"asterisk", "freeswitch"}:
        raise LabError(f"PBX={named}: the lab knows asterisk and freeswitch")
    return "freeswitch" if named == "freeswitch" else "asterisk"


def switch_of(kind: PbxKind, asterisk: Installation, run_dir: Path, watch: Watch) -> Switch:
    """One that is not started yet. The `asterisk` runs the outside world in any case."""
    if kind == "asterisk":
        return AsteriskSwitch(Instance("pbx", asterisk, run_dir, [CHECKOUT]), watch)
    if (freeswitch := find_freeswitch()) is None:
        raise LabError(f"{MISSING}; build one and name its folder in FREESWITCH_HOME")
    return FreeSwitch(FreeSwitchServer("pbx", freeswitch, run_dir), watch)
