"""The desk of the tests of a switch, where the PBX is a FreeSWITCH."""

from typing import cast

from tests.adapters.asterisk.desk import Desk
from tests.lab.freeswitch.esl import Esl, EslError
from tests.lab.freeswitch.switch import FreeSwitch


class FreeswitchDesk(Desk):
    @property
    def switch(self) -> FreeSwitch:
        return cast(FreeSwitch, self.lab.switch)

    @property
    def esl(self) -> Esl:
        return self.switch.pbx.esl

    async def variable(self, channel: str, name: str) -> str:
        return await self.switch.pbx.variable(channel, name)

    async def position(self, channel: str) -> tuple[str, str]:
        try:
            return await self.variable(channel, "context"), await self.variable(channel, "destination_number")
        except EslError:
            return "", ""

    async def variable_is(self, channel: str, name: str, value: str) -> None:
        async def so() -> bool:
            return await self.variable(channel, name) == value

        await self.lab.wait_until(so, what=f"{name} to be {value!r}")
