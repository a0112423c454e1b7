"""A text to an agent's own desk phone, as a SIP MESSAGE through the PBX.

For messages to agents, and to an address that is an extension. That a phone took one is not known:
the switch says that it was sent. A phone that isn't registered gets nothing, and the next gateway is tried.
"""

from collections.abc import Awaitable, Callable, Sequence

from callcontrol.core.model import AcceptBy, Agent, Endpoint, EndpointKind, LineState
from callcontrol.ports import Message, Pbx, PortError, UnreachableError

Agents = Callable[[], Awaitable[Sequence[Agent]]]


class SipMessageGateway:
    keyed = False

    def __init__(self, pbx: Pbx, agents: Agents) -> None:
        self._pbx = pbx
        self._agents = agents

    async def send(self, message: Message) -> str:
        if not self._pbx.linked:
            raise PortError("no link to the switch", retryable=True)
        phones = await self._phones(message)
        if not phones:
            raise PortError("no desk phone belongs to that address", retryable=False)
        registered = [phone for phone in phones if self._pbx.line(phone) is not LineState.UNREGISTERED]
        if not registered:
            raise UnreachableError("the phone is not registered")
        await self._pbx.message(registered[0], message.body)
        return ""

    async def close(self) -> None:
        pass

    async def _phones(self, message: Message) -> list[Endpoint]:
        """The agent's; by number, where the message does not say whose it is."""
        for agent in await self._agents():
            if agent.id == message.agent_id or (message.agent_id is None and agent.phone == message.to):
                return [phone for phone in agent.endpoints if phone.kind is EndpointKind.EXTENSION]
        if message.to.startswith("+") or "@" in message.to:
            return []
        return [Endpoint(kind=EndpointKind.EXTENSION, address=message.to, accept_by=AcceptBy.ANSWER)]
