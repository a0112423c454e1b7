"""Bots and what is set for each."""

from dataclasses import dataclass
from enum import StrEnum

from callcontrol.core.model.ids import BotId
from callcontrol.core.model.people import Contact, ContactList, Endpoint


class Pattern(StrEnum):
    """Whom a bot's transfers ring, in which order (product playbook, "How transfer routing works")."""

    ASSIGNED = "assigned"
    GROUP = "group"
    ASSIGNED_THEN_GROUP = "assigned_then_group"


class HandoffStyle(StrEnum):
    """How the agent hears the overview."""

    INTRODUCE = "introduce"  # the bot speaks it to agent and lead, then drops off
    WHISPER = "whisper"  # the agent alone hears it from a sound file, then is joined
    ANNOUNCE = "announce"  # agent and lead hear it from a sound file


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    label: str
    endpoint: Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeActions:
    """What an outcome sets off. The defaults are the playbook's."""

    cancel_cadence: bool = True
    notify_agent: bool = True  # the lead's assigned one
    notify_owner: bool = True
    notify_pool: bool = False  # everyone in the lead's pool
    notify_lists: tuple[ContactList, ...] = ()
    create_task: bool = False
    webhook: bool = True  # tell the outside systems that ask for it

    @property
    def notifies(self) -> bool:
        """Somebody is to get a text."""
        return self.notify_agent or self.notify_owner or self.notify_pool or bool(self.notify_lists)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bot:
    id: BotId
    name: str
    pattern: Pattern = Pattern.ASSIGNED_THEN_GROUP
    ring_timeout_s: float = 35.0
    accept_timeout_s: float = 20.0
    handoff: HandoffStyle = HandoffStyle.INTRODUCE
    handoff_limit_s: float = 60.0
    closing_line: str = "I'll let you guys take it from here."
    fallbacks: tuple[Fallback, ...] = ()
    fallback_all_at_once: bool = False
    missed_goto: str = ""  # "context,exten,priority" for a lead whose bot is not a leg of its own
    owner: Contact | None = None
    on_connected: OutcomeActions = OutcomeActions()
    on_missed: OutcomeActions = OutcomeActions(create_task=True)

    def __hash__(self) -> int:
        """Of the id alone: what is made of a bot is remembered, and looked up for every transfer."""
        return hash(self.id)
