"""A gateway for any provider that takes texts by HTTP, described by a template.

A template holds values, not text to splice: what is put in for `{body}` is escaped for the place it
stands in, whether URL, header, form or JSON.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from callcontrol.adapters.sms.filling import fill, values_of
from callcontrol.adapters.web import Answer, Web
from callcontrol.ports import BusyError, Delivery, DeliveryReport, DoubtError, Message, PortError

Json = Mapping[str, Any] | list[Any] | str | int | float | bool | None

_SAID_AT_MOST = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """An answer with one of these statuses, whose fields are these. What is empty fits any."""

    statuses: tuple[range, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # by path, such as `messages.0.status`

    def fits(self, status: int, said: Json) -> bool:
        return (not self.statuses or any(status in some for some in self.statuses)) and all(
            _text(at(said, path)) in values for path, values in self.fields.items()
        )


def statuses(*codes: int) -> tuple[Rule, ...]:
    return (Rule(statuses=tuple(range(code, code + 1) for code in codes)),)


TAKEN = (Rule(statuses=(range(200, 300),)),)
AGAIN = statuses(401, 408, 425, 429, 500, 503)  # 401: a secret that is to be put right, not a bad text
DOUBT = statuses(502, 504)  # a proxy on the way has lost the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Reports:
    """Where a delivery report says what. Paths into its JSON or form."""

    state: str
    delivered: tuple[str, ...]
    undelivered: tuple[str, ...]
    provider_id: str = ""
    message_id: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A provider. Of `json` and `form` one is given, or none."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    basic: tuple[str, str] | None = None
    json: Json = None
    form: Mapping[str, str] | None = None
    values: Mapping[str, str] = field(
        default_factory=dict, repr=False
    )  # more that may be put in; secrets too
    keyed: bool = False  # a repeat of {key} is delivered once
    taken: tuple[Rule, ...] = TAKEN
    again: tuple[Rule, ...] = AGAIN
    doubt: tuple[Rule, ...] = DOUBT
    provider_id: str = ""  # where an answer has it
    error: tuple[str, ...] = ()  # where an answer says what is wrong
    reports: Reports | None = None


class HttpGateway:
    def __init__(self, name: str, template: Template, web: Web, *, report_url: str = "") -> None:
        """`report_url`: where delivery reports are to be sent, if they are."""
        self._name = name
        self._template = template
        self._web = web
        self._report_url = report_url

    @property
    def keyed(self) -> bool:
        return self._template.keyed

    async def send(self, message: Message) -> str:
        given = self._template
        known = self._known(message)
        headers = {name: _in_header(fill(value, known)) for name, value in given.headers.items()}
        if given.basic is not None:
            user, password = (fill(part, known) for part in given.basic)
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        content = b""
        if given.json is not None:
            headers.setdefault("Content-Type", "application/json")
            content = json.dumps(_filled(given.json, known)).encode()
        elif given.form is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            pairs = [(name, fill(value, known)) for name, value in given.form.items()]
            content = urlencode([pair for pair in pairs if pair[1]]).encode()
        url = fill(given.url, {name: quote(value, safe="") for name, value in known.items()})
        answer = await self._web.ask(given.method, url, headers=headers, content=content)
        return self._judge(answer)

    def report(self, body: bytes, content_type: str, query: Mapping[str, str]) -> DeliveryReport | None:
        """None for one that says nothing of a message. Raises ValueError for what is no report."""
        given = self._template.reports
        if given is None:
            return None
        said = _parsed(body, content_type)
        state = _text(at(said, given.state))
        ours = query.get("message", "") or _text(at(said, given.message_id))
        provider_id = _text(at(said, given.provider_id))
        if not state or not (ours.isdecimal() or provider_id):
            return None
        return DeliveryReport(
            gateway=self._name,
            delivery=(
                Delivery.DELIVERED
                if state in given.delivered
                else Delivery.UNDELIVERED
                if state in given.undelivered
                else Delivery.ON_ITS_WAY
            ),
            message_id=int(ours) if ours.isdecimal() and len(ours) < 19 else None,
            provider_id=provider_id,
            detail=" ".join(part for part in (state, _text(at(said, given.detail))) if part)[:_SAID_AT_MOST],
        )

    async def close(self) -> None:
        await self._web.close()

    def _known(self, message: Message) -> dict[str, str]:
        key = message.dedupe_key
        return {
            **self._template.values,
            **values_of(message),
            "key": key if key.isascii() and key.isprintable() else sha256(key.encode()).hexdigest(),
            "report_url": f"{self._report_url}&message={message.id}" if self._report_url else "",
        }

    def _judge(self, answer: Answer) -> str:
        """The provider's id of a message that it took. Raises what it says of one that it didn't."""
        given, status = self._template, answer.status
        try:
            said: Json = json.loads(answer.body)
        except ValueError:
            said = None
        if any(rule.fits(status, said) for rule in given.taken):
            return _text(at(said, given.provider_id))
        words = " ".join(word for path in given.error if (word := _text(at(said, path))))
        why = f"{status} {words}".strip()[:_SAID_AT_MOST]
        if any(rule.fits(status, said) for rule in given.doubt):
            raise DoubtError(why)
        if any(rule.fits(status, said) for rule in given.again):
            raise BusyError(why, retry_after_s=answer.retry_after_s(now_s=time.time()))
        raise PortError(why, retryable=False)


def _filled(template: Json, known: Mapping[str, str]) -> Json:
    """With its values filled in; a key whose value becomes empty is left out."""
    match template:
        case str():
            return fill(template, known)
        case list():
            return [_filled(item, known) for item in template]
        case Mapping():
            filled = {key: _filled(value, known) for key, value in template.items()}
            return {key: value for key, value in filled.items() if value != ""}
        case _:
            return template


def _in_header(value: str) -> str:
    if not value.isprintable():
        raise PortError("a header can't hold line breaks or control characters", retryable=False)
    return value


def at(said: Any, path: str) -> Any:
    """`data.to.0.status` of JSON; none where there is no such thing."""
    found = said if path else None
    for step in path.split("."):
        match found:
            case Mapping():
                found = found.get(step)
            case list() if step.isdecimal() and int(step) < len(found):
                found = found[int(step)]
            case _:
                return None
    return found


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return "".join(c if c.isprintable() else " " for c in str(value)).strip()
        case _:
            return ""


def _parsed(body: bytes, content_type: str) -> Json:
    if content_type.partition(";")[0].strip().casefold() == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=100))
    parsed: Json = json.loads(body)
    return parsed
