"""A command loads what it needs, and no more: people wait for it."""

import subprocess
import sys

import pytest

from callcontrol.cli import named


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("agents --json", "agents"),
        ("--config serve agents", "agents"),
        ("--config=x --debug tasks claim 3", "tasks"),
        ("--help", None),
        ("", None),
        ("nonsense agents", None),
        ("--nonsense agents", None),
    ],
)
def test_which_command_is_named(arguments: str, command: str | None):
    assert named(arguments.split()) == command


def test_a_command_of_the_database_loads_no_web_server_and_no_switch():
    program = (
        "import sys; from callcontrol.cli import build; build('agents');"
        "print(*{'fastapi', 'uvicorn', 'aiohttp', 'gevent', 'panoramisk'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_help_tells_of_every_command():
    told = subprocess.run(
        [sys.executable, "-m", "callcontrol", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("serve", "init", "agents", "outbox", "texts", "forget"):
        assert f"\n  {command} " in told
