"""A company: the lab's PBX with a callcontrol daemon beside it, as a process of its own."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import httpx
import yaml

from callcontrol.adapters.sql import SqlStore
from callcontrol.core.model import LegRecord, TransferId
from callcontrol.narration import Narration, replayed
from callcontrol.ports import Entry, Task, TaskFilter, TransferRow
from tests.lab import parties
from tests.lab.calls import Call
from tests.lab.lab import Lab
from tests.lab.ports import free_port

SUMMARY = "Lena wants to sell her flat this summer. She has asked for a valuation."
READY_S = 20.0
OWNER = "+493023125800"
ALERT_INFO = "<http://127.0.0.1/warm-transfer>;info=warm-transfer"
T = TypeVar("T")


def directory(**bots: dict[str, Any]) -> dict[str, Any]:
    """The lab's people. `bots` by id, with what differs from the playbook's defaults."""
    mobiles = [{"label": name, "number": parties.BY_NAME[name].number} for name in ("mobile1", "frontdesk")]
    default = {"name": "Sami", "ring_timeout_s": 6, "fallbacks": mobiles}
    everyone = {"sami": {}} | bots
    return {
        "zone": "Europe/Berlin",
        "owner": {"name": "Olivia Owner", "phone": OWNER},
        "agents": [
            {
                "id": name,
                "name": name.title(),
                "phone": f"+49302312570{n}",
                "schedule": "always",
                "endpoints": [{"extension": name}],
            }
            for n, name in enumerate(parties.PHONES)
        ],
        "pools": [{"id": "sellers", "name": "Sellers", "agents": ["bob", "carol"]}],
        "rules": [{"name": "people who sell", "when": {"intent": ["sell"]}, "pool": "sellers"}],
        "bots": [{"id": bot} | default | settings for bot, settings in everyone.items()],
        "leads": [
            {
                "id": "lena",
                "name": "Lena Lead",
                "phone": parties.BY_NAME["lead"].number,
                "email": "lena@example.com",
                "source": "Portal",
                "agent": "alice",
                "fields": {"intent": "sell"},
            }
        ],
    }


async def poll(look: Callable[[], Awaitable[T | None]], limit_s: float) -> T:
    """What `look` finds, as soon as it finds something. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found


class Site:
    """`start` and `kill` the daemon as often as needed; the lab and the database stay."""

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        people: dict[str, Any],
        *,
        database: str,
        link_port: int | None,
        alert_info: str | None,
        more: Mapping[str, Any],
    ) -> None:
        self.lab = lab
        self.link_port = link_port or lab.switch.link.port
        self.folder = folder
        self.port = free_port()
        self.token = secrets.token_hex(24)
        self.process: asyncio.subprocess.Process | None = None
        self.texts_file = folder / "state" / "texts.jsonl"
        self.config = folder / "callcontrol.yaml"
        self.log = folder / "daemon.log"
        self._write(people, database, alert_info, more)
        self.store = SqlStore(database or f"sqlite:///{folder / 'state' / 'callcontrol.db'}")
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=15,
            limits=httpx.Limits(keepalive_expiry=2),  # before the daemon closes one of its own accord
        )

    def _write(
        self, people: dict[str, Any], database: str, alert_info: str | None, more: Mapping[str, Any]
    ) -> None:
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        config = {
            "pbx": self.lab.switch.kind,
            self.lab.switch.kind: {
                "host": self.lab.switch.link.host,
                "port": self.link_port,
                "username": self.lab.switch.link.user,
                "secret": self.lab.switch.link.secret,
                "dial": {"number": self.lab.switch.outside},
                "alert_info": alert_info,
            },
            "state_directory": str(self.folder / "state"),
            "database": {"url": database or "sqlite:///callcontrol.db"},
            "api": {"port": self.port, "tokens": [{"name": "bot", "secret": self.token}]},
            "speech": {"directory": str(self.lab.sounds_dir)},
            "logging": {"format": "json", "level": "info"},
            **more,
        }
        self.config.write_text(yaml.safe_dump(config))
        self.config.chmod(0o600)
        (self.folder / "directory.yaml").write_text(yaml.safe_dump(people, sort_keys=False))

    # --- the daemon

    async def cli(self, *arguments: str) -> str:
        """Run a command of callcontrol's; its output. Raises RuntimeError where it fails."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"callcontrol {' '.join(arguments)}: {output.decode()}")
        return output.decode()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "callcontrol", "--config", str(self.config), *arguments]

    async def start(self) -> None:
        """Start the daemon; return when it is ready."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command("serve"), stdout=log, stderr=log, start_new_session=True
            )
        async with asyncio.timeout(READY_S):
            while not await self._ready():
                if self.process.returncode is not None:
                    raise RuntimeError(f"the daemon ended: {self.log.read_text()[-3000:]}")
                await asyncio.sleep(0.05)

    async def _ready(self) -> bool:
        try:
            return (await self.http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            os.kill(self.process.pid, how)
            await self.process.wait()

    async def close(self) -> None:
        await self.stop()
        await self.http.aclose()
        await self.store.close()

    # --- transfers

    async def asks(self, call: Call, *, bot: str = "sami", **more: Any) -> TransferId:
        """The bot asks for a transfer of its lead."""
        who = {} if "lead" in more else {"lead_id": "lena"}
        body = {"bot": bot, "channel": call.lead_channel, "summary": SUMMARY} | who | more
        answer = await self.http.post("/v1/transfers", json=body)
        answer.raise_for_status()
        return TransferId(answer.json()["id"])

    async def row(self, transfer: TransferId) -> TransferRow:
        return await self.store.transfer(transfer)

    async def legs(self, transfer: TransferId) -> dict[str, LegRecord]:
        """By who was rung."""
        return {record.leg.label.lower(): record for record in await self.store.legs(transfer)}

    async def journal(self, transfer: TransferId) -> tuple[Entry, ...]:
        return await self.store.journal(transfer)

    async def until(
        self, wanted: Callable[[TransferRow], bool], transfer: TransferId, limit_s: float = 30.0
    ) -> TransferRow:
        """The transfer, when it is as wanted."""

        async def look() -> TransferRow | None:
            row = await self.row(transfer)
            return row if wanted(row) else None

        return await poll(look, limit_s)

    async def outcome(self, transfer: TransferId, limit_s: float = 30.0) -> TransferRow:
        return await self.until(lambda row: row.outcome is not None, transfer, limit_s)

    async def task(
        self, transfer: TransferId, holds: Callable[[Task], object] = lambda _: True, limit_s: float = 10.0
    ) -> Task:
        """The transfer's task, when it is as wanted."""

        async def look() -> Task | None:
            found = await self.store.tasks(1, TaskFilter(transfer_id=transfer))
            return found[0] if found and holds(found[0]) else None

        return await poll(look, limit_s)

    async def phase(self, transfer: TransferId, wanted: str, limit_s: float = 30.0) -> None:
        """Wait until the bot is told so, over the event stream as a bot would."""
        stream = self.http.stream("GET", f"/v1/transfers/{transfer}/events", timeout=None)
        async with asyncio.timeout(limit_s), stream as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line == f"event: {wanted}":
                    return
        raise RuntimeError(f"the stream ended before {wanted}")

    async def winner(self, transfer: TransferId) -> str:
        """The name of who took the lead."""
        legs = await self.store.legs(transfer)
        return next(record.leg.label for record in legs if record.joined_at is not None)

    async def until_joined(self, transfer: TransferId, *names: str, limit_s: float = 20.0) -> str:
        """Which of these was joined."""

        async def look() -> str | None:
            legs = await self.legs(transfer)
            return next((name for name in names if name in legs and legs[name].joined_at), None)

        return await poll(look, limit_s)

    async def ended_legs(self, transfer: TransferId, *names: str) -> dict[str, LegRecord]:
        """The legs, once those of `names` have ended."""

        async def look() -> dict[str, LegRecord] | None:
            legs = await self.legs(transfer)
            return legs if all(legs[name].ended_at for name in names) else None

        return await poll(look, 10)

    async def phases(self, transfer: TransferId) -> list[str]:
        """Every phase so far."""
        narration = Narration()
        replayed(await self.journal(transfer), narration)
        return [told.phase.value for told in narration.so_far]

    async def settled(self, transfer: TransferId, limit_s: float = 10.0) -> None:
        """Until agent and lead are joined, or there is an outcome."""

        async def look() -> bool:
            return (await self.row(transfer)).outcome is not None or "joined" in await self.phases(transfer)

        await poll(look, limit_s)

    async def until_not_ready(self, limit_s: float) -> None:
        async def look() -> bool:
            return not await self._ready()

        await poll(look, limit_s)

    async def ready_again(self, limit_s: float = 20.0) -> None:
        await poll(self._ready, limit_s)

    async def fallbacks_published(self, bot: str, limit_s: float = 10.0) -> None:
        """Until the PBX knows whom to ring without us."""

        async def look() -> bool:
            return "trunk" in await self.lab.switch.fallbacks(bot)

        await poll(look, limit_s)

    async def available(self, agent: str, *, yes: bool) -> None:
        answer = await self.http.put(f"/v1/agents/{agent}/availability", json={"available": yes})
        answer.raise_for_status()

    async def everyone_available(self) -> None:
        """Switched on, and rested from whatever calls they missed in an earlier test."""
        for name in parties.PHONES:
            await self.available(name, yes=True)
            (await self.http.delete(f"/v1/agents/{name}/rest")).raise_for_status()

    def texts_of(self, transfer: TransferId) -> list[dict[str, Any]]:
        return [text for text in self.texts() if text["transfer"] == transfer]

    def texts(self) -> list[dict[str, Any]]:
        """What the file gateway has sent."""
        if not self.texts_file.exists():
            return []
        return [yaml.safe_load(line) for line in self.texts_file.read_text().splitlines()]


@asynccontextmanager
async def site(
    lab: Lab,
    folder: Path,
    people: dict[str, Any] | None = None,
    *,
    database: str = "",
    link_port: int | None = None,
    alert_info: str | None = ALERT_INFO,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[Site]:
    """A daemon with these people in its database, ready for calls. `more`: sections of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    company = Site(
        lab,
        folder,
        people or directory(),
        database=database,
        link_port=link_port,
        alert_info=alert_info,
        more=more,
    )
    try:
        await company.cli("apply", str(folder / "directory.yaml"), "--yes")
        await company.start()
        yield company
    finally:
        await company.close()
