"""`explain`, with a daemon that knows the lines and without one, and its record in `show`."""

import re

ASK = ("--lead", "lead-1", "--bot", "qualifier")


async def test_without_a_daemon_it_explains_from_the_database_and_says_that_lines_are_unknown(site):
    ran = await site.run("explain", *ASK)
    assert ran.code == 0
    assert "line states unknown" in ran.out
    assert "1. assigned: Alice Adams (extension alice)" in ran.out
    assert re.search(r"portals go to the buyers' team +yes +fits", ran.out)
    assert re.search(r"Spanish, in the hours we promise it +no +language is absent", ran.out)
    assert "not yet rung for this transfer: rung before" in ran.out
    assert "3. fallback: Front desk (number +13035550120)" in ran.out


async def test_it_explains_another_time(site):
    ran = await site.run("explain", *ASK, "--at", "2026-12-25T12:00-05:00", "--json")
    assert ran.json["at"] == "2026-12-25T17:00:00Z"
    assert ran.json["line_states"] == "unknown"
    [bob] = [one for one in ran.json["attempts"][1]["considered"] if one["agent"] == "bob"]
    assert not bob["rings"]
    against = {term["term"]: term["value"] for term in bob["terms"] if not term["holds"]}
    assert against == {"schedule": "closed until Sat 22:00 America/New_York"}


async def test_it_says_why_not_this_agent(site):
    await site.run("agents", "alice", "--off")
    told = (await site.run("explain", "--lead", "lead-1", "--bot", "qualifier", "--agent", "alice")).out
    assert "Alice Adams" in told
    assert "available: off" in told
    assert "Bob Brown  " not in told
    carol = (await site.run("explain", "--lead", "lead-1", "--bot", "qualifier", "--agent", "carol")).out
    assert "carol is not among those it is about" in carol
    nobody = await site.run("explain", "--lead", "lead-1", "--bot", "qualifier", "--agent", "zoe")
    assert (nobody.code, nobody.err) == (4, "no agent 'zoe'\n")


async def test_an_unknown_lead_or_bot_is_exit_4(site):
    assert (await site.run("explain", "--lead", "x", "--bot", "qualifier")).code == 4
    assert (await site.run("explain", "--lead", "lead-1", "--bot", "x")).code == 4


async def test_the_daemon_is_asked_where_it_runs_and_a_real_transfer_does_as_explained(daemon):
    site = daemon.site
    explained = (await site.run("explain", *ASK, "--json")).json
    assert explained["line_states"] == "live"
    assert "line states unknown" not in (await site.run("agents")).out
    assert (await site.run("explain", "--lead", "x", "--bot", "qualifier")).code == 4
    asked = await site.run("transfer", daemon.lead, *ASK)
    assert asked.code == 0, asked.err
    told = (await site.run("show", "last", "--json")).json
    routing = [line for line in told["timeline"] if line["kind"] == "routing"]
    rung = ", ".join(leg["label"] for leg in explained["attempts"][0]["rings"])
    assert routing[0]["what"] == f"the assigned agent: {rung}"
    terms = explained["attempts"][0]["considered"][0]["terms"]
    assert routing[1]["detail"] == "; ".join(f"{term['term']}: {term['value']}" for term in terms)
