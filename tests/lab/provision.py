"""Find an Asterisk to run the lab on, or get one: `python -m tests.lab.provision`.

In this order: one on PATH; the distribution's own package; a Debian sid root made by debootstrap, kept in a cache
folder outside the checkout, built once and checked each time.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OLDEST = 20
PACKAGES = "asterisk,asterisk-core-sounds-en-gsm"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o=Dpkg::Use-Pty=0")

# Runs in a mount namespace of its own, so that the mounts end with the process: no clean-up to forget.
# Where we may not make a folder in the root (not being root), a tmpfs over the one at its top takes it.
ENTER_ROOT = """
set -eu
root=$1; shift
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
while [ "$1" != -- ]; do
    if ! mkdir -p "$root$1" 2>/dev/null; then
        top=${1#/}
        mount -t tmpfs tmpfs "$root/${top%%/*}"
        mkdir -p "$root$1"
    fi
    mount --rbind "$1" "$root$1"
    shift
done
shift
exec chroot "$root" "$@"
"""


class ProvisionError(Exception):
    """No Asterisk, and no way to get one. Says what to do."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An Asterisk that can be run: the machine's own (`root` is None), or one in a root of its own."""

    root: Path | None
    version: str
    modules_dir: str
    data_dir: str

    def outside(self, path: Path) -> Path:
        """Where a path of the installation is for us."""
        return path if self.root is None else self.root / path.relative_to("/")

    def command(self, arguments: Sequence[str], *, shared: Sequence[Path]) -> list[str]:
        """Return the command for `asterisk <arguments>`, which sees the `shared` folders at their own paths.

        It keeps the process id it is started with, and dies with its parent.
        """
        tied = ["setpriv", "--pdeathsig", "KILL", "--"]
        if self.root is None:
            return [*tied, "asterisk", *arguments]
        namespace = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
        folders = [str(path) for path in shared]
        return [
            *tied, *namespace, "sh", "-c", ENTER_ROOT, "sh", str(self.root), *folders, "--", "asterisk", *arguments,
        ]  # fmt: skip


def cache_dir() -> Path:
    if (own := os.environ.get("CALLCONTROL_CACHE")) is not None:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "callcontrol"


def provision() -> Installation:
    """Return an Asterisk that answers `asterisk -V`, having installed one where there was none."""
    _ensure_programs({"sox": "sox", "espeak-ng": "espeak-ng"})
    if (found := _on_path()) or (found := _in_root(cache_dir() / "asterisk-root")):
        return found
    with _only_one_of_us():
        candidate = _apt_candidate()
        if candidate >= OLDEST:
            _apt_install_asterisk()
            if found := _on_path():
                return found
        root = cache_dir() / "asterisk-root"
        if not (found := _in_root(root)):
            _debootstrap(root)
            found = _in_root(root)
    if found is None:
        raise ProvisionError(f"the root made at {root} has no working asterisk: remove it and try again")
    return found


def _say(text: str) -> None:
    print(f"lab: {text}", flush=True)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def _as_root(*command: str) -> list[str]:
    if os.geteuid() == 0:
        return list(command)
    if shutil.which("sudo") is None:
        raise ProvisionError(f"this needs root, and there is no sudo: {' '.join(command)}")
    return ["sudo", *command]


def _version(*command: str) -> str | None:
    """Ask a binary for its version: '22.10.1', or None where it can't run or is too old."""
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"Asterisk (?:certified[/-])?((\d+)[.\d]*)", said)
    return match[1] if match and int(match[2]) >= OLDEST else None


def _on_path() -> Installation | None:
    version = _version("asterisk", "-V")
    return None if version is None else _installed(Path("/"), version)


def _in_root(root: Path) -> Installation | None:
    if not (root / "usr/sbin/asterisk").exists():
        return None
    enter = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    version = _version(*enter, "chroot", str(root), "asterisk", "-V")
    return None if version is None else _installed(root, version)


def _installed(root: Path, version: str) -> Installation | None:
    modules = next(root.glob("usr/lib*/**/asterisk/modules/app_dial.so"), None)
    sounds = next(
        (path for path in ("usr/share/asterisk", "var/lib/asterisk") if (root / path / "sounds").is_dir()),
        None,
    )
    if modules is None or sounds is None:
        return None
    return Installation(
        root=None if root == Path("/") else root,
        version=version,
        modules_dir=f"/{modules.parent.relative_to(root)}",
        data_dir=f"/{sounds}",
    )


@contextmanager
def _only_one_of_us() -> Iterator[None]:
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "provision.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt_candidate() -> int:
    """Return the major version of the asterisk that apt would install, 0 where it has none."""
    if shutil.which("apt-get") is None:
        return 0
    _say("looking for an asterisk package (apt-get update)")
    _run(_as_root(*APT, "update"))
    policy = subprocess.run(
        ["apt-cache", "policy", "asterisk"], check=True, capture_output=True, text=True
    ).stdout
    match = re.search(r"Candidate: (?:\d+:)?(\d+)\.", policy)
    return int(match[1]) if match else 0


def _apt_install(*packages: str) -> None:
    if shutil.which("apt-get") is None:
        raise ProvisionError(f"there is no apt-get here: install {', '.join(packages)} by hand")
    _say(f"installing {' '.join(packages)} with apt")
    try:
        _run(_as_root(*APT, "install", "--no-install-recommends", "-y", *packages))
    except subprocess.CalledProcessError:
        _run(_as_root(*APT, "update"))
        _run(_as_root(*APT, "install", "--no-install-recommends", "-y", *packages))


def _apt_install_asterisk() -> None:
    """Install the distribution's asterisk without its service, which would take port 5060."""
    policy = "/usr/sbin/policy-rc.d"
    ours = not Path(policy).exists()
    if ours:
        _run(_as_root("sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' >{policy} && chmod 755 {policy}"))
    try:
        _apt_install("asterisk", "asterisk-core-sounds-en-gsm")
    finally:
        if ours:
            _run(_as_root("rm", "-f", policy))
    if shutil.which("systemctl"):
        subprocess.run(
            _as_root("systemctl", "--quiet", "disable", "asterisk"), check=False, capture_output=True
        )


def _ensure_programs(packages: dict[str, str]) -> None:
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if missing:
        _apt_install(*missing)


def _debian_mirror() -> list[str]:
    """Return the Debian mirror this machine already uses; empty where it has none, for debootstrap's default."""
    apt = Path("/etc/apt")
    files = [apt / "sources.list", *apt.glob("sources.list.d/*.list"), *apt.glob("sources.list.d/*.sources")]
    text = "\n".join(path.read_text(errors="replace") for path in files if path.is_file())
    uris = re.findall(r"^(?:URIs:|deb)\s.*?(https?://\S*/debian)/?(?=\s|$)", text, re.MULTILINE)
    return uris[:1]


def _debootstrap(root: Path) -> None:
    if os.geteuid() != 0 and shutil.which("sudo") is None:
        raise ProvisionError("debootstrap needs root: run `python -m tests.lab.provision` as root once")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if shutil.which("debootstrap", path="/usr/sbin:/sbin:/usr/bin") is None or not keyring.exists():
        _apt_install("debootstrap", "debian-archive-keyring")
    building = root.with_name(f"{root.name}.{os.getpid()}")
    _say(f"making a Debian root with Asterisk at {root}: about 500 MB and two minutes, once")
    command = [
        "debootstrap", "--variant=minbase", f"--keyring={keyring}", f"--include={PACKAGES}",
        "sid", str(building), *_debian_mirror(),
    ]  # fmt: skip
    try:
        _follow(_as_root(*command), log=root.with_name("debootstrap.log"))
        _run(_as_root("rm", "-rf", *map(str, (building / "var/cache/apt/archives").glob("*.deb"))))
        _run(_as_root("mv", "--no-target-directory", str(building), str(root)))
    finally:
        if building.exists():
            _run(_as_root("rm", "-rf", "--one-file-system", str(building)))


def _follow(command: Sequence[str], *, log: Path) -> None:
    """Run a long command, its output in `log`, and on stdout a line for every 50 packages and each new step."""
    packages, step = 0, ""
    with log.open("w") as sink, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            sink.write(line)
            packages += line.startswith(("I: Unpacking", "I: Configuring"))
            verb = line.removeprefix("I: ").split(" ", 1)[0]
            if verb != step and verb in {"Retrieving", "Extracting", "Unpacking", "Configuring"}:
                step = verb
                if packages % 50 == 0:
                    _say(f"{verb.lower()} ...")
    if process.returncode != 0:
        raise ProvisionError(f"debootstrap failed: see {log}")


def _wish_for_a_browser() -> None:
    """One test looks at the report's page in it, and is skipped where there is none: Ubuntu has only a snap."""
    if not any(map(shutil.which, BROWSERS)):
        try:
            _apt_install("chromium")
        except (ProvisionError, subprocess.CalledProcessError):
            _say("no chromium can be installed: the report's page is not looked at in a browser")


def main() -> int:
    try:
        found = provision()
    except (ProvisionError, subprocess.CalledProcessError) as error:
        _say(str(error))
        return 1
    where = "installed on this machine" if found.root is None else f"in {found.root}"
    _say(f"Asterisk {found.version}, {where}")
    _wish_for_a_browser()
    return 0


if __name__ == "__main__":
    sys.exit(main())
