"""The commands beside a real PBX that was set up as dialplan/README.md says."""

import json

import pytest

from tests.lab import Lab
from tests.lab.site import Site


async def test_check_finds_nothing_wrong(company: Site, lab: Lab):
    findings = json.loads(await company.cli("check", "--json"))
    assert [one for one in findings if not one["ok"]] == []
    told = " ".join(one["subject"] for one in findings)
    for subject in ("config", "database", "alice"):
        assert subject in told.lower()


async def test_check_names_a_phone_that_is_off_and_says_what_to_do(company: Site, lab: Lab):
    await lab.phone("bob").unregister()
    with pytest.raises(RuntimeError, match="bob"):
        await company.cli("check")


async def test_show_tells_the_whole_story(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    await company.outcome(transfer)
    await lab.wait_until(lambda: len(company.texts_of(transfer)) == 2, what="the texts")
    story = await company.cli("show", transfer)
    for part in ("Alice is the lead's assigned agent", "rings", "picks up", "connected: Alice", "sent"):
        assert part in " ".join(story.split())
    assert transfer in await company.cli("transfers", "--json")


async def test_a_transfer_asked_for_by_hand_is_followed_to_its_end(company: Site, lab: Lab):
    await company.available("alice", yes=False)
    call = await lab.call("lead")
    with pytest.raises(RuntimeError, match="missed"):  # exit code 1
        await company.cli("transfer", call.lead_channel, "--bot", "solo", "--lead", "lena", "--watch")
