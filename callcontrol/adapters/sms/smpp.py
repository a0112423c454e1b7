"""Texts by SMPP 3.4, over a connection that stays bound from the first text on.

smpplib makes and reads the PDUs; the connection is our own, so that it is known of each text whether it was
taken, refused, or perhaps sent.
"""

import asyncio
import re
import ssl
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from smpplib import consts
from smpplib.smpp import make_pdu, parse_pdu

from callcontrol.core.segments import Encoding, encode, encoding_of, split
from callcontrol.ports import BusyError, Delivery, DeliveryReport, DoubtError, Message, PortError

log = structlog.get_logger(__name__)

_LONGEST = 64 * 1024  # a PDU
_HEADER = struct.Struct(">LLLL")
_ANSWER, _DELIVER, _UNBIND, _ENQUIRE = 0x80000000, 0x05, 0x06, 0x15
_REMEMBERED = 10_000  # texts whose receipts may come before they are marked as sent
_AGAIN_S = 1.0  # until the next part of a text is tried again
_KIND, _RECEIPT, _HEADED = 0x3C, 0x04, 0x40  # in esm_class: a delivery receipt; a header before the text
_BUSY = (consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL)
_PASSING = (consts.SMPP_ESME_RSYSERR, consts.SMPP_ESME_RSUBMITFAIL, consts.SMPP_ESME_RX_T_APPN)
_CODING = {Encoding.GSM_7: 0x00, Encoding.UCS_2: 0x08}  # 0: the SMSC's own, GSM 03.38 nearly everywhere
_INTERNATIONAL, _NAME, _SHORT = (1, 1), (5, 0), (3, 0)  # type of number, numbering plan
_DELIVERED = ("DELIVRD", 2)
_UNDELIVERED = ("EXPIRED", "DELETED", "UNDELIV", "REJECTD", 3, 4, 5, 8)

OnReport = Callable[[DeliveryReport], Awaitable[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class SmppSettings:
    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    sender: str  # a number in E.164, a short code, or a name
    system_type: str = ""
    tls: ssl.SSLContext | None = None  # none: in clear
    in_parts: bool = True  # long texts; otherwise whole, as message_payload
    receipts: bool = True
    connect_s: float = 5.0
    answer_s: float = 20.0
    enquire_every_s: float = 30.0


class SmppGateway:
    """SMPP knows no repeats by a key."""

    keyed = False

    def __init__(self, name: str, settings: SmppSettings, on_report: OnReport) -> None:
        """`on_report` raises PortError for what can't be kept now: the SMSC then tells it again."""
        self._name = name
        self._settings = settings
        self._on_report = on_report
        self._binding = asyncio.Lock()
        self._session: _Session | None = None
        self._taken: OrderedDict[str, int] = OrderedDict()  # the SMSC's id -> ours

    async def send(self, message: Message) -> str:
        pdus = _pdus(self._settings, message)
        session = await self._bound()
        try:
            async with asyncio.timeout(self._settings.answer_s):
                provider_id = await _submit(session, pdus)
        except TimeoutError:
            raise DoubtError(f"no answer for {self._settings.answer_s:g} s") from None
        if provider_id:
            self._taken[provider_id] = message.id
            while len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)
        return provider_id

    async def close(self) -> None:
        if self._session is not None:
            await self._session.unbind()

    async def _bound(self) -> "_Session":
        async with self._binding:
            if self._session is None or self._session.over:
                self._session = await _bind(self._settings, self._delivered)
            return self._session

    async def _delivered(self, pdu: Any) -> None:
        """A receipt; a text from outside is taken, and read by nobody."""
        if pdu.esm_class & _KIND != _RECEIPT:
            log.info("a text came in, which nobody reads", gateway=self._name)
        elif (found := self._report(pdu)) is not None:
            await self._on_report(found)

    def _report(self, pdu: Any) -> DeliveryReport | None:
        said = _said(pdu.short_message or pdu.message_payload)
        words = dict(re.findall(r"\b(id|stat|err):(\S+)", said))
        provider_id = _said(pdu.receipted_message_id) or words.get("id", "")
        state = words.get("stat", "").upper() or pdu.message_state
        if not provider_id:
            return None
        return DeliveryReport(
            gateway=self._name,
            delivery=(
                Delivery.DELIVERED
                if state in _DELIVERED
                else Delivery.UNDELIVERED
                if state in _UNDELIVERED
                else Delivery.ON_ITS_WAY
            ),
            message_id=self._taken.get(provider_id),
            provider_id=provider_id,
            detail=" ".join(str(part) for part in (state, words.get("err")) if part)[:200],
        )


async def _submit(session: "_Session", pdus: Sequence[dict[str, Any]]) -> str:
    """The id of the last part, whose receipt tells of the text. Once one part was taken, the others must be."""
    provider_id = ""
    for n, pdu in enumerate(pdus):
        while True:
            try:
                answer = await session.ask("submit_sm", **pdu)
                _judge(answer)
            except DoubtError:
                raise
            except BusyError as error:
                if n == 0:
                    raise
                log.info("the rest of a text has to wait", error=str(error))
                await asyncio.sleep(_AGAIN_S)
            except PortError as error:
                if n == 0:
                    raise
                raise DoubtError(f"{n} of {len(pdus)} parts were taken, then: {error}") from None
            else:
                provider_id = _said(answer.message_id)
                break
    return provider_id


def _judge(answer: Any) -> None:
    status = answer.status
    if status == consts.SMPP_ESME_ROK and answer.command != "generic_nack":
        return
    why = f"0x{status:02x} {answer.get_status_desc()}"
    if status in _BUSY:
        raise BusyError(why)
    raise PortError(why, retryable=status in _PASSING)


def _pdus(given: SmppSettings, message: Message) -> list[dict[str, Any]]:
    """One, or one for each part of a long text."""
    to, from_ = _address(message.to), _address(given.sender)
    if not message.to.removeprefix("+").isdecimal():
        raise PortError("there is no number to send it to", retryable=False)
    encoding = encoding_of(message.body)
    common = {
        "service_type": "",
        "source_addr_ton": from_[0][0],
        "source_addr_npi": from_[0][1],
        "source_addr": from_[1],
        "dest_addr_ton": to[0][0],
        "dest_addr_npi": to[0][1],
        "destination_addr": to[1],
        "data_coding": _CODING[encoding],
        "registered_delivery": int(given.receipts),
    }
    parts = split(message.body)
    if len(parts) == 1:
        return [{**common, "short_message": encode(message.body, encoding)}]
    if not given.in_parts:
        return [{**common, "message_payload": encode(message.body, encoding)}]
    header = bytes((5, 0, 3, message.id % 256, len(parts)))  # one reference for all repeats (3GPP TS 23.040)
    return [
        {
            **common,
            "esm_class": _HEADED,
            "short_message": header + bytes((n,)) + encode(part, encoding),
            "registered_delivery": int(given.receipts and n == len(parts)),
        }
        for n, part in enumerate(parts, 1)
    ]


def _address(given: str) -> tuple[tuple[int, int], str]:
    if given.startswith("+"):
        return _INTERNATIONAL, given[1:]
    return (_SHORT if given.isdecimal() else _NAME), given


def _said(value: Any) -> str:
    text = bytes(value or b"").decode("latin-1")
    return "".join(char if char.isprintable() else " " for char in text).strip()


# --- the connection


async def _bind(given: SmppSettings, on_deliver: Callable[[Any], Awaitable[None]]) -> "_Session":
    """Raises PortError: nothing was sent."""
    try:
        async with asyncio.timeout(given.connect_s):
            reader, writer = await asyncio.open_connection(given.host, given.port, ssl=given.tls)
            session = _Session(reader, writer, given, on_deliver)
            try:
                await _log_in(session, given)
            except BaseException:
                session.end("it was never bound")
                raise
    except DoubtError:
        raise PortError("the connection was lost before the bind", retryable=True) from None
    except TimeoutError:
        raise PortError(f"no bind within {given.connect_s:g} s", retryable=True) from None
    except OSError as error:
        raise PortError(f"no connection: {error.strerror or error}", retryable=True) from None
    return session


async def _log_in(session: "_Session", given: SmppSettings) -> None:
    answer = await session.ask(
        "bind_transceiver" if given.receipts else "bind_transmitter",
        system_id=given.system_id,
        password=given.password,
        system_type=given.system_type,
        address_range="",
    )
    if answer.status != consts.SMPP_ESME_ROK:
        raise PortError(f"the SMSC takes no bind: {answer.get_status_desc()}", retryable=True)


class _Numbers:
    """As smpplib wants them of its client."""

    sequence = 0

    def next_sequence(self) -> int:
        self.sequence = self.sequence % 0x7FFFFFFF + 1
        return self.sequence


class _Session:
    """One connection. Every request has a number, and its answer the same."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        given: SmppSettings,
        on_deliver: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.over = False
        self._reader = reader
        self._writer = writer
        self._given = given
        self._on_deliver = on_deliver
        self._numbers = _Numbers()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())}

    async def ask(self, command: str, **fields: Any) -> Any:
        """The answer, whatever it says. Raises PortError where nothing went out, DoubtError where none came."""
        if self.over:
            raise PortError("the connection to the SMSC is gone", retryable=True)
        pdu = make_pdu(command, client=self._numbers, **fields)
        number = pdu.sequence
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(pdu.generate())
            return await answer
        finally:
            self._asked.pop(number, None)

    async def unbind(self) -> None:
        if not self.over:
            with suppress(PortError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.ask("unbind")
        self.end("callcontrol ended")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self, why: str) -> None:
        if self.over:
            return
        self.over = True
        self._writer.close()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(DoubtError(f"the connection was lost: {why}"))

    async def _read(self) -> None:
        why = "a bug"
        try:
            while True:
                head = await self._reader.readexactly(_HEADER.size)
                length, command, status, number = _HEADER.unpack(head)
                if not _HEADER.size <= length <= _LONGEST:
                    why = "the SMSC said what is no SMPP"
                    return
                body = await self._reader.readexactly(length - _HEADER.size)
                self._take(command, number, status, head + body)
        except (OSError, EOFError) as error:
            why = str(error) or type(error).__name__
        except Exception:
            log.exception("the connection to the SMSC broke off")
        finally:
            self.end(why)

    def _take(self, command: int, number: int, status: int, data: bytes) -> None:
        pdu = _read_pdu(data)
        if command & _ANSWER:
            answer = self._asked.get(number)
            if answer is not None and not answer.done():
                answer.set_result(pdu or make_pdu("submit_sm_resp", status=status))  # that much is known
        elif command == _ENQUIRE:
            self._reply("enquire_link_resp", number)
        elif command == _UNBIND:
            self._reply("unbind_resp", number)
            self.end("the SMSC has unbound")
        elif command == _DELIVER:
            task = asyncio.create_task(self._deliver(pdu, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._reply("generic_nack", number, consts.SMPP_ESME_RINVCMDID)

    async def _deliver(self, pdu: Any, number: int) -> None:
        """It is acknowledged when it is kept."""
        status = consts.SMPP_ESME_ROK
        try:
            if pdu is None or pdu.esm_class is None:  # what can't be read would be no better the next time
                status = consts.SMPP_ESME_RX_P_APPN
            else:
                await self._on_deliver(pdu)
        except PortError as error:
            log.warning("a delivery receipt could not be kept, it will come again", error=str(error))
            status = consts.SMPP_ESME_RX_T_APPN
        except Exception:
            log.exception("a delivery receipt could not be read")
        self._reply("deliver_sm_resp", number, status)

    def _reply(self, command: str, number: int, status: int = consts.SMPP_ESME_ROK) -> None:
        if not self.over:
            pdu = make_pdu(command, status=status)
            pdu.sequence = number
            self._writer.write(pdu.generate())

    async def _keep_alive(self) -> None:
        """A connection that says nothing any more is given up, so that the next text has a new one."""
        try:
            while True:
                await asyncio.sleep(self._given.enquire_every_s)
                async with asyncio.timeout(self._given.connect_s):
                    await self.ask("enquire_link")
        except (PortError, TimeoutError):
            self.end("the SMSC did not answer")


def _read_pdu(data: bytes) -> Any:
    """None for what smpplib can't read, such as an optional parameter in a place of its own."""
    try:
        return parse_pdu(data, client=_Numbers(), allow_unknown_opt_params=True)
    except Exception as error:
        log.info("a PDU can't be read", error=type(error).__name__)
        return None
