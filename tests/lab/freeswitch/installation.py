"""Find a FreeSWITCH to run the lab on. None is installed here: few package registries have it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MISSING = "no freeswitch on PATH or in FREESWITCH_HOME"
FROM_SOURCE = "/usr/local/freeswitch"  # where its `make install` puts it


@dataclass(frozen=True, kw_only=True)
class FreeSwitchInstallation:
    binary: Path
    version: str


@cache
def find_freeswitch() -> FreeSwitchInstallation | None:
    """In FREESWITCH_HOME, on PATH as packages install it, or as built from source."""
    named = os.environ.get("FREESWITCH_HOME")
    for folder in ([f"{named}/bin"] if named else []) + [os.environ.get("PATH", ""), f"{FROM_SOURCE}/bin"]:
        found = shutil.which("freeswitch", path=folder)
        if found is not None and (version := _version(found)):
            return FreeSwitchInstallation(binary=Path(found), version=version)
    return None


def _version(binary: str) -> str:
    """ "" where it doesn't start, for want of a library for instance."""
    said = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version: (\d+\.\d+\.\d+[-\w]*)", said)
    return match[1] if match else ""
