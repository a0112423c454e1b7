"""Who, of a missed transfer, would have rung but for one term: what a wider schedule could have caught."""

from collections import Counter
from collections.abc import Iterable, Mapping

from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import AgentId, MissedBecause, Term

UNANSWERED = (
    MissedBecause.NO_ONE_AVAILABLE,
    MissedBecause.NO_ANSWER,
)  # where another agent could have helped


def kept_out(attempts: Iterable[AttemptResolved]) -> Mapping[Term, int]:
    """By the one term that did not hold: how many agents it kept from ringing, each counted once.

    An agent who rang at any time is not counted, nor is one against whom several terms stood.
    """
    against: dict[AgentId, set[Term]] = {}
    rang: set[AgentId] = set()
    for attempt in attempts:
        rang.update(leg.agent_id for leg in attempt.legs if leg.agent_id is not None)
        for considered in attempt.considered:
            terms = {term.term for term in considered.terms if not term.holds}
            against.setdefault(considered.agent_id, set()).update(terms)
    alone = [terms for agent_id, terms in against.items() if len(terms) == 1 and agent_id not in rang]
    return Counter(term for terms in alone for term in terms)
