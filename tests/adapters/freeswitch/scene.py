"""A transfer before the switch: its channels, the order to ring, and what the switch lists of them."""

from callcontrol.core.model import AcceptBy, Call, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, LinkUp, RingOrder
from tests.adapters.freeswitch.scripted import Answer, ScriptedFreeswitch, event, rows
from tests.adapters.reports import Daemon, until

LEAD, BOT, LEG = ChannelId("lead-1"), ChannelId("bot-1"), ChannelId("a" * 36)
CALL = Call(lead=LEAD, bot=BOT, pbx_started="first-start")
TRANSFER = TransferId("t-1")
GONE = "-ERR No such channel!\n"


def order(name: str = "Lena", address: str = "alice", by: AcceptBy = AcceptBy.ANSWER) -> RingOrder:
    endpoint = Endpoint(kind=EndpointKind.EXTENSION, address=address, accept_by=by)
    return RingOrder(
        transfer_id=TRANSFER,
        leg=Leg(id=LEG, agent_id=None, label="Alice", endpoint=endpoint),
        lead=LEAD,
        caller=CallerId(name=name, number="+4930123456"),
        ring_timeout_s=35.0,
        accept_timeout_s=20.0,
    )


def row(channel: str, place: str = "public,1", callstate: str = "ACTIVE", **more: str) -> dict[str, str]:
    context, _, dest = place.partition(",")
    return {"uuid": channel, "callstate": callstate, "context": context, "dest": dest, **more}


def lists(*channels: dict[str, str], pairs: tuple[tuple[str, str], ...] = ()) -> Answer:
    def answer(command: object) -> str:
        match command.rest.split()[0]:  # type: ignore[attr-defined]
            case "channels":
                return rows(*channels)
            case "bridged_calls":
                return rows(*({"uuid": one, "b_uuid": other} for one, other in pairs))
            case _:
                return rows()

    return answer


async def watched(freeswitch: ScriptedFreeswitch, daemon: Daemon) -> None:
    await daemon.saw(LinkUp)
    await freeswitch.say(event("CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": LEAD, "Bridge-B-Unique-ID": BOT}))
    await until(lambda: daemon.pbx._ledger.partners)
    daemon.pbx.watch(TRANSFER, CALL)
    await freeswitch.saw("uuid_setvar_multi")
