"""Leads who must be called back: who has one, what was tried, how it came out."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints

from callcontrol.api.bodies import Body
from callcontrol.api.service import Served
from callcontrol.api.task_answers import TaskAnswer, TaskList
from callcontrol.core import cleaning
from callcontrol.core.model import LeadId, TransferId
from callcontrol.ports import TaskFilter, TaskState, UnknownError

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

MOST_WORDS = 1000  # characters of a note
_LONGEST_NUMBER = 18  # digits

Limit = Annotated[int, Query(ge=1, le=500, description="At most this many, the newest first.")]
Given = Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _said(value: str) -> str:
    """Cleaned; something must be left."""
    cleaned = cleaning.line(value, MOST_WORDS)
    if not cleaned:
        raise ValueError("is empty")
    return cleaned


Name = Annotated[
    str,
    StringConstraints(max_length=128),
    AfterValidator(_said),
    Field(description="Who it is: an agent's id, or a name."),
]
Words = Annotated[str, StringConstraints(max_length=MOST_WORDS), AfterValidator(_said)]


class ClaimBody(Body):
    by: Name


class NoteBody(Body):
    by: Name
    text: Words


class DoneBody(Body):
    by: Name
    how: str = Field("", max_length=MOST_WORDS, description="In words: what came of it.")


@router.get("")
async def list_tasks(  # noqa: PLR0917 - FastAPI passes every parameter by its name
    service: Served,
    limit: Limit = 50,
    state: Annotated[list[TaskState] | None, Query(description="Any of these; all by default.")] = None,
    owner: Annotated[Given, Query(description="An agent's or a pool's id.")] = None,
    lead: Annotated[Given, Query(description="A lead's id.")] = None,
    transfer: Annotated[Given, Query(description="A transfer's id.")] = None,
    overdue: Annotated[bool, Query(description="Those that are due and not done.")] = False,
) -> TaskList:
    """Follow-up tasks, with their notes and the calls that were seen."""
    wanted = TaskFilter(
        states=tuple(state or ()),
        owner=owner,
        lead_id=LeadId(lead) if lead else None,
        transfer_id=TransferId(transfer) if transfer else None,
        overdue_at=service.now() if overdue else None,
    )
    return TaskList(tasks=tuple(TaskAnswer.of(task) for task in await service.store.tasks(limit, wanted)))


@router.get("/{task_id}")
async def show_task(task_id: str, service: Served) -> TaskAnswer:
    """One task."""
    return TaskAnswer.of(await service.store.task(_known_shape(task_id)))


@router.post("/{task_id}/claim")
async def claim_task(task_id: str, body: ClaimBody, service: Served) -> TaskAnswer:
    """Take a task on: it escalates no more. The same again changes nothing; another's is a 409."""
    claimed = await service.store.claim_task(_known_shape(task_id), body.by, service.now())
    service.wake_outbox()
    return TaskAnswer.of(claimed)


@router.post("/{task_id}/note")
async def note_task(task_id: str, body: NoteBody, service: Served) -> TaskAnswer:
    """Write something on it, done or not. The same words by the same person are one note."""
    known = _known_shape(task_id)
    return TaskAnswer.of(await service.store.note_task(known, body.by, body.text, service.now()))


@router.post("/{task_id}/done")
async def finish_task(task_id: str, body: DoneBody, service: Served) -> TaskAnswer:
    """Say that it is done. The same again changes nothing; where it was done otherwise, a 409."""
    known, words = _known_shape(task_id), cleaning.line(body.how, MOST_WORDS)
    done = await service.store.finish_task(known, body.by, words, service.now())
    service.wake_outbox()
    return TaskAnswer.of(done)


def _known_shape(task_id: str) -> int:
    if not (task_id.isascii() and task_id.isdecimal() and len(task_id) <= _LONGEST_NUMBER):
        raise UnknownError("task", task_id)
    return int(task_id)
