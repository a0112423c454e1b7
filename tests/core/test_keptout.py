from callcontrol.core import events as e
from callcontrol.core.keptout import kept_out
from callcontrol.core.model import AgentId, Considered, Term, TermValue
from tests.core import stage


def considered(name, *against):
    terms = (TermValue(term=term, holds=term not in against, value="") for term in Term)
    return Considered(agent_id=AgentId(name), name=name.title(), terms=tuple(terms))


def attempt(*agents, rings=()):
    legs = tuple(stage.leg(name) for name in rings)
    return e.AttemptResolved(step=stage.GROUP, ask=1, legs=legs, considered=agents)


def test_an_agent_is_counted_under_the_one_term_that_kept_them_from_ringing():
    ann, bob, cyd = considered("ann", Term.SCHEDULE), considered("bob", Term.SCHEDULE), considered("cyd")
    dan = considered("dan", Term.TOGGLE)
    assert kept_out([attempt(ann, bob, cyd, dan)]) == {Term.SCHEDULE: 2, Term.TOGGLE: 1}


def test_an_agent_against_whom_two_terms_stood_is_not_counted():
    assert kept_out([attempt(considered("ann", Term.SCHEDULE, Term.TOGGLE))]) == {}


def test_an_agent_considered_for_two_attempts_is_counted_once():
    ann = considered("ann", Term.SCHEDULE)
    assert kept_out([attempt(ann), attempt(ann)]) == {Term.SCHEDULE: 1}


def test_an_agent_whom_another_term_kept_out_of_the_next_attempt_is_not_counted():
    attempts = [attempt(considered("ann", Term.LINE)), attempt(considered("ann", Term.SCHEDULE))]
    assert kept_out(attempts) == {}


def test_an_agent_who_rang_before_was_not_kept_out():
    attempts = [attempt(considered("ann"), rings=("ann",)), attempt(considered("ann", Term.TRIED))]
    assert kept_out(attempts) == {}
