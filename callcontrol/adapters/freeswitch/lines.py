"""What the phones are doing: which users are registered, and the calls of each, as the switch tells them."""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from callcontrol.adapters.freeswitch.frames import RINGING, UP, Event
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.core.model import Endpoint, EndpointKind, LineState

_ADDRESS = "{address}"
_REGISTERED = re.compile(r"user/([^@%/]+)(?:@.*)?|sofia/[^/]+/([^@%/]+)%.*")  # dialled where it is registered


@dataclass(frozen=True, slots=True)
class Registration:
    profile: str
    host: str


class Lines:
    def __init__(self, settings: FreeswitchSettings) -> None:
        self._before, self._after, self._told = "", "", False
        if _ADDRESS in (name := _user(settings.extension_dial)):
            self._before, _, self._after = name.partition(_ADDRESS)
            self._told = True
        self.domain = settings.domain or _domain(settings.extension_dial)  # empty: the switch's own
        self._directory: Mapping[str, bool] | None = None
        self._registered: dict[str, dict[str, Registration]] = defaultdict(dict)  # user -> by call id
        self._news: set[tuple[str, str]] = set()  # registrations told of by events since they were listed
        self._calls: dict[str, dict[str, LineState]] = defaultdict(dict)  # user -> channel -> what it does
        self._owner: dict[str, str] = {}  # channel -> user

    def state(self, endpoint: Endpoint) -> LineState:
        user = self._user_of(endpoint)
        if not user:
            return LineState.UNKNOWN
        calls = self._calls.get(user, {}).values()
        if LineState.IN_USE in calls:
            return LineState.IN_USE
        if LineState.RINGING in calls:
            return LineState.RINGING
        if self._registered.get(user):
            return LineState.NOT_IN_USE
        if self._directory is None or self._directory.get(user) is True:
            return LineState.UNREGISTERED
        return LineState.NOT_IN_USE if user in self._directory else LineState.UNKNOWN

    def _user_of(self, endpoint: Endpoint) -> str:
        """Empty where the switch has no user of which the state says anything."""
        if endpoint.kind is EndpointKind.EXTENSION and self._told:
            return f"{self._before}{endpoint.address}{self._after}"
        return _user(endpoint.address) if endpoint.kind is EndpointKind.DIAL else ""

    def registration(self, endpoint: Endpoint) -> tuple[str, Registration] | None:
        """Its user and where that is registered last; none where it is not."""
        user = self._user_of(endpoint)
        found = list(self._registered.get(user, {}).values())
        return (user, found[-1]) if found else None

    def address_of(self, user: str) -> str:
        """The directory's extension for a user of the switch; its own name where the dial template has no say."""
        ours = self._told and user.startswith(self._before) and user.endswith(self._after)
        if ours and len(user) > len(self._before) + len(self._after):
            return user[len(self._before) : len(user) - len(self._after)]
        return user

    def phone_at(self, channel: str) -> str:
        """The directory's extension for the phone whose channel that is; empty where it is no phone's."""
        user = self._owner.get(channel, "")
        return self.address_of(user) if user else ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Those for which a phone is not free."""
        return tuple(self._owner)

    # --- what the switch tells

    def begin(
        self,
        registrations: Iterable[Mapping[str, str]],
        channels: Iterable[Mapping[str, str]],
        directory: Mapping[str, bool] | None = None,
    ) -> None:
        """What `show` lists, and what `users` has found: all that holds now."""
        self._directory = directory
        self._news.clear()
        self.are_registered(registrations)
        self._calls.clear()
        self._owner.clear()
        for row in channels:
            inbound = row.get("direction") == "inbound"
            self._call(
                row.get("presence_id", ""), row.get("uuid", ""), row.get("callstate", ""), inbound=inbound
            )

    def are_registered(self, registrations: Iterable[Mapping[str, str]]) -> None:
        """What `show` lists. It is a moment behind, so that what an event has told since it was listed last stands."""
        listed = {
            (row.get("reg_user", ""), row.get("token", "")): _registration(row) for row in registrations
        }
        known = [(user, call_id) for user, found in self._registered.items() for call_id in found]
        for user, call_id in {*known, *listed} - self._news:
            self._registers(user, call_id, listed.get((user, call_id)))
        self._news.clear()

    def _hear(self, event: Event, found: Registration | None) -> None:
        """`username` is who has proved it; who is dialled there, and listed, may be another."""
        user = event.get("from-user") or event.get("user") or event.get("username", "")
        self._registers(user, event.get("call-id", ""), found)
        self._news.add((user, event.get("call-id", "")))

    def _registers(self, user: str, call_id: str, found: Registration | None) -> None:
        if found is not None:
            self._registered[user][call_id] = found
        else:
            self._registered[user].pop(call_id, None)

    def take(self, event: Event) -> None:
        match event.get("Event-Subclass", event.get("Event-Name")):
            case "CHANNEL_CALLSTATE":
                inbound = event.get("Call-Direction") == "inbound"
                user, channel = event.get("Channel-Presence-ID", ""), event.get("Unique-ID", "")
                self._call(user, channel, event.get("Channel-Call-State", ""), inbound=inbound)
            case "CHANNEL_HANGUP":
                self._over(event.get("Unique-ID", ""))
            case "sofia::register":
                found = Registration(event.get("profile-name", ""), event.get("from-host", ""))
                self._hear(event, found)
            case "sofia::unregister" | "sofia::expire":
                self._hear(event, None)

    def _call(self, presence_id: str, channel: str, state: str, *, inbound: bool) -> None:
        user = presence_id.partition("@")[0]
        if state == "HANGUP":
            self._over(channel)
        elif user and (state in UP or state in RINGING):
            if self._owner.get(channel, user) != user:
                self._over(channel)
            self._owner[channel] = user
            ringing = state in RINGING and not inbound  # one that dials is in use
            self._calls[user][channel] = LineState.RINGING if ringing else LineState.IN_USE

    def _over(self, channel: str) -> None:
        """Whatever presence it ends with: a dialplan may have changed that."""
        if (user := self._owner.pop(channel, None)) is not None:
            del self._calls[user][channel]
            if not self._calls[user]:
                del self._calls[user]


def _registration(row: Mapping[str, str]) -> Registration:
    profile = re.match(r"sofia/([^/]+)/", row.get("url", ""))
    return Registration(profile[1] if profile else "", row.get("realm", ""))


def users(directory: str) -> dict[str, bool] | None:
    """Of a domain of the switch's directory: each user, and whether it is dialled where it is registered.

    None where the switch does not have the domain in its files, but asks somebody for each user.
    """
    try:
        domain = ET.fromstring(directory)  # noqa: S314 - the switch's own files, by its own writer
    except ET.ParseError:
        return None
    found: dict[str, bool] = {}
    for scope in (domain, *domain.iter("group")):
        for user in scope.iter("user"):
            if user.get("type") != "pointer":
                dial = _dial_string(user) or _dial_string(scope) or _dial_string(domain)
                found[user.get("id", "")] = "%" in dial or "sofia_contact" in dial or not dial
    return found


def _dial_string(element: ET.Element) -> str:
    given = element.iterfind("./params/param")
    return next((p.get("value", "") for p in given if p.get("name") == "dial-string"), "")


def _domain(dial: str) -> str:
    return re.split("[@%]", dial)[1] if _REGISTERED.fullmatch(dial) and re.search("[@%]", dial) else ""


def _user(dial: str) -> str:
    found = _REGISTERED.fullmatch(dial)
    return (found[1] or found[2]) if found is not None else ""
