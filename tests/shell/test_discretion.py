"""A whole run's log, at its most talkative, has nothing of a lead in it."""

import io
import json
import logging
from dataclasses import replace

import pytest
import structlog

from callcontrol.app import configure_logs
from callcontrol.core.model import Lead, LeadId
from tests.shell.office import ANSWERS, SilentSpeech, directory, office

ZEB = Lead(
    id=LeadId("lea"), name="Zebulon Quux", phone="+13035557781", email="zeb@quux.example", source="Zillow"
)
PERSONAL = ("Zebulon", "Quux", "3035557781", "quux.example", "sell a house")


@pytest.fixture
def log():
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logs(level="debug", as_json=True, pii=False, stream=stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


async def test_a_run_with_a_connected_a_missed_and_a_failing_transfer_logs_no_personal_data(tmp_path, log):
    people = directory()
    people = replace(people, leads=(replace(ZEB, assigned_agent_id=people.leads[0].assigned_agent_id),))
    async with office(tmp_path, people=people, speech=SilentSpeech(fails=True), alice=ANSWERS) as at:
        call, transfer = await at.asks()
        await at.passes(2)
        await at.switchboard.handoff_finished(transfer)
        await at.passes(1)
        at.pbx.hangs_up(call.lead)
        await at.passes(5)
        missed, _ = await at.asks()
        at.pbx.hangs_up(missed.lead)
        await at.passes(5)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {"transfer started", "transfer moved on", "transfer has its outcome"} <= {
        one["event"] for one in told
    }
    assert [personal for personal in PERSONAL if personal in log.getvalue()] == []
