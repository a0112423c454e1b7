"""The database."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from callcontrol.core.callback import FollowedCall, Person, Verdict
from callcontrol.core.events import AttemptResolved
from callcontrol.core.followup import TextOut
from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    BotId,
    Call,
    Candidate,
    Directory,
    Lead,
    LeadId,
    LegRecord,
    Step,
    TransferId,
)
from callcontrol.ports.cadence import Cancelled, ClaimedStep, Enrolment, Planned
from callcontrol.ports.records import (
    Backlog,
    Claim,
    Decide,
    DeliveryReport,
    Entry,
    FactsOf,
    First,
    Forgotten,
    Late,
    Message,
    MessageStatus,
    NewLead,
    Overdue,
    Request,
    Setback,
    Task,
    TaskFilter,
    TransferRow,
    Transition,
    WaitingLead,
    Which,
    Whom,
)
from callcontrol.ports.statistics import Statistics
from callcontrol.ports.switch import (
    Finding,
)

T = TypeVar("T")


class Store(Protocol):
    """The database. Each method is one transaction, run to its end even if the caller is cancelled.
    All raise StoreError where the database is away.
    """

    @property
    def statistics(self) -> Statistics: ...

    async def check(self) -> Sequence[Finding]: ...

    async def ping(self) -> None: ...

    async def apply(self, directory: Directory) -> Sequence[str]:
        """Make agents, pools, rules and bots what `directory` says; each change as a line for people.

        An agent's own toggle is kept. Leads are added or updated, never removed.
        """
        ...

    async def bots(self) -> Sequence[Bot]: ...

    async def agents(self) -> Sequence[Agent]: ...

    async def set_available(self, agent_id: AgentId, *, available: bool) -> None:
        """Raises UnknownError; ElsewhereError where the toggles are in the site's own tables."""
        ...

    async def prepare(self, request: Request) -> TransferRow | Bot:
        """The transfer that the key already belongs to, or else the request's bot.

        Raises UnknownError for an unknown bot or lead id, KeyReusedError where the key came with
        another bot, lead or channel.
        """
        ...

    async def open(
        self,
        transfer_id: TransferId,
        request: Request,
        call: Call,
        now: datetime,
        first: First,
    ) -> TransferRow:
        """Store a new transfer with what `first` writes of it, or find the one that the key belongs to.
        As with `record`, it outlives this process from then on.

        `first` is called within the transaction, from any thread, and again where that is tried again.
        Raises UnknownError, ChannelBusyError, and KeyReusedError where the key came with another bot,
        lead or channel.
        """
        ...

    async def resolve(self, row: TransferRow, step: Step, decide: Decide, now: datetime) -> AttemptResolved:
        """Have `decide` choose by the step's facts of now, and reserve the agents it rings for the transfer.

        `decide` is called from any thread, and again where another transfer was quicker to an agent.
        """
        ...

    async def consult(
        self,
        bot_id: BotId,
        lead: LeadId | NewLead,
        look: Callable[[Bot, Lead, FactsOf], T],
        now: datetime,
        *,
        in_full: bool = False,
    ) -> T:
        """Look at the facts of `now`, changing nothing. `in_full`: with those of a large group who are off
        too, who are only counted otherwise. Raises UnknownError.
        """
        ...

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        """Every agent of the directory with their standing."""
        ...

    async def agent_at(self, address: str, now: datetime) -> Candidate:
        """Whose extension that is. Raises UnknownError."""
        ...

    async def rest(self, agent_id: AgentId, until: datetime | None, why: str) -> None:
        """Let an agent rest, or return (no `until`), strikes forgotten. Raises UnknownError."""
        ...

    async def history(self, bot_id: BotId, since: datetime) -> Sequence[float | None]:
        """For each decided transfer of the bot: seconds from the request to being joined, or a miss.

        Transfers that the bot called off, or whose lead hung up, are left out: nobody failed them.
        """
        ...

    async def hold(self, hold_id: str, agent_ids: Sequence[AgentId], until: datetime) -> Sequence[AgentId]:
        """Reserve agents for a transfer that is about to be asked for; those that were free."""
        ...

    async def record(self, transition: Transition) -> None:
        """Append to the journal, with everything that goes with it. Safe to repeat.

        From then on it outlives this process; with an outcome, the machine too: see `on_disk`.
        """
        ...

    async def on_disk(self) -> None:
        """Until what was opened and recorded so far outlives the machine, which may be a moment later."""
        ...

    async def unclosed(self) -> Sequence[tuple[TransferRow, tuple[Entry, ...]]]: ...

    async def transfer(self, transfer_id: TransferId) -> TransferRow:
        """Raises UnknownError."""
        ...

    async def transfers(self, limit: int) -> Sequence[TransferRow]: ...

    async def journal(self, transfer_id: TransferId) -> tuple[Entry, ...]: ...

    async def legs(self, transfer_id: TransferId) -> Sequence[LegRecord]: ...

    async def tasks(self, limit: int, wanted: TaskFilter | None = None) -> Sequence[Task]:
        """The newest first."""
        ...

    async def task(self, task_id: int) -> Task:
        """Raises UnknownError."""
        ...

    async def claim_task(self, task_id: int, by: str, now: datetime) -> Task:
        """Safe to repeat. Raises UnknownError, and TaskRefusedError where it is another's, or done."""
        ...

    async def note_task(self, task_id: int, by: str, text: str, now: datetime) -> Task:
        """The same words by the same person are one note. Raises UnknownError."""
        ...

    async def finish_task(self, task_id: int, by: str, words: str, now: datetime) -> Task:
        """Done by hand. Safe to repeat. Raises UnknownError, and TaskRefusedError where it was done
        otherwise before.
        """
        ...

    async def waiting_leads(self) -> Sequence[WaitingLead]:
        """Those of every task that is not done, where the lead has a number."""
        ...

    async def person_at(self, address: str, number: str) -> Person | None:
        """The agent of the directory whose extension that is, or else whose number (E.164)."""
        ...

    async def unended_calls(self) -> Sequence[FollowedCall]:
        """Calls of waiting leads that were up when last looked at."""
        ...

    async def put_call(self, call: FollowedCall, verdict: Verdict | None = None) -> bool:
        """Write how far a call has come and, with a verdict, what that means for its tasks. Safe to
        repeat. True where a task was closed.
        """
        ...

    async def overdue(self, now: datetime, limit: int) -> Sequence[Overdue]:
        """Tasks that nobody touched and that are to be escalated by now; none while their lead is talked with."""
        ...

    async def put_off(self, task: Task, until: datetime) -> None:
        """Escalate it later, unless that has changed meanwhile."""
        ...

    async def escalate(self, task: Task, texts: Sequence[TextOut], now: datetime) -> bool:
        """Count the next level, and queue its texts. False where the level was another's, or somebody touched the task."""
        ...

    async def claim_messages(
        self,
        route: Callable[[Message], str | None],
        room: Mapping[str, int],
        now: datetime,
        lease_s: float,
        *,
        late: Late | None = None,
        resends: Collection[str] = (),
        holding: Collection[int] = (),
    ) -> Claim:
        """Messages that are due, as many for each gateway as it has room for; see Late for those that waited.

        `route` names the gateway of a message, or none, and is called from any thread. A message whose
        lease ran out may have been sent: it is claimed again if its gateway is one of `resends`, parked if
        not, and left alone if it is one of `holding`.
        """
        ...

    async def message_sent(self, message: Message, now: datetime, provider_id: str) -> None: ...

    async def message_failed(self, message: Message, now: datetime, setback: Setback) -> None: ...

    async def reroute(self, gateway: str | None = None) -> None:
        """Have the routes choose anew for what waits for this gateway, or for any; in short transactions."""
        ...

    async def park_orphans(self, known: Collection[str]) -> int:
        """Park what may have been sent, and could be sent again only through a gateway that is not known; how many."""
        ...

    async def messages(self, which: Which, limit: int) -> Sequence[MessageStatus]:
        """The newest first."""
        ...

    async def retry_messages(self, which: Which, now: datetime) -> int:
        """Send parked ones, and those that wait for another attempt, as if they were new; how many.

        In short transactions, like `discard_messages`.
        """
        ...

    async def discard_messages(self, which: Which) -> int:
        """Never send those that are queued or parked; how many."""
        ...

    async def report_delivery(self, report: DeliveryReport, now: datetime) -> bool:
        """False where no message is known by that id. An end that was reported is never taken back."""
        ...

    async def enrol(
        self, lead_id: LeadId, name: str, steps: Sequence[Planned], *, key: str | None = None
    ) -> int:
        """Put the lead into a cadence; the enrolment's id. A repeat of the key is the same enrolment.

        Raises UnknownError.
        """
        ...

    async def cadences(self, lead_id: LeadId) -> Sequence[Enrolment]: ...

    async def cancel_cadence(self, lead_id: LeadId, *, by: str, why: str) -> Cancelled:
        """Everything that is planned for the lead, also what a worker has in hand. Safe to repeat."""
        ...

    async def claim_steps(
        self, worker: str, limit: int, now: datetime, lease_s: float
    ) -> Sequence[ClaimedStep]:
        """Steps that are due, the worker's for `lease_s`; none of a lead who is just being transferred."""
        ...

    async def renew_step(self, claim_id: str, now: datetime, lease_s: float) -> datetime:
        """Until when the step is the worker's now. Raises ClaimLostError."""
        ...

    async def complete_step(self, claim_id: str, now: datetime) -> str:
        """Carried out. Empty, or why that was too late. Raises ClaimLostError."""
        ...

    async def release_step(self, claim_id: str, due_at: datetime) -> None:
        """Give a step back, due again then. Raises ClaimLostError."""
        ...

    async def backlog(self) -> Backlog: ...

    async def forget(self, whom: Whom, now: datetime, *, with_tasks: bool) -> Forgotten:
        """Erase a lead's personal data, keeping what is counted.

        Raises UnknownError; StoreError while a transfer of the lead is live, or, but for `with_tasks`,
        a task is open.
        """
        ...

    async def forget_before(self, before: datetime, now: datetime) -> Forgotten:
        """Erase some of what is older than `before`; call it again until that is nothing."""
        ...

    async def close(self) -> None: ...
