"""What the log shows, and what it keeps to itself."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from callcontrol.app import configure_logs
from callcontrol.app.logs import short


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers = []
    logging.getLogger().setLevel(logging.WARNING)


def last(out: io.StringIO) -> dict:
    return json.loads(out.getvalue().splitlines()[-1])


def test_personal_data_is_dropped_unless_asked_for(out):
    configure_logs(level="info", as_json=True, pii=False, stream=out)
    structlog.get_logger("x").info("asked", pii_name="Lena", transfer="t")
    assert "pii_name" not in last(out)
    assert last(out)["transfer"] == "t"
    configure_logs(level="info", as_json=True, pii=True, stream=out)
    structlog.get_logger("x").info("asked", pii_name="Lena", pii_phone="+13035550199")
    assert (last(out)["pii_name"], last(out)["pii_phone"]) == ("Lena", "+13035550199")


def test_phone_numbers_are_their_last_two_digits_wherever_they_are(out):
    configure_logs(level="info", as_json=True, pii=False, stream=out)
    structlog.get_logger("x").warning(
        "not +13035550142", to="+1 303 555 0199", why="no +4930123456 here", more={"list": ["+13035550101"]}
    )
    found = last(out)
    assert found["event"] == "not …42"
    assert found["to"] == "…99"
    assert found["why"] == "no …56 here"
    assert found["more"] == {"list": ["…01"]}
    assert short("") == ""


def test_channel_ids_stay_whole(out):
    configure_logs(level="info", as_json=True, pii=False, stream=out)
    structlog.get_logger("x").info(
        "rung", channel="1700000000.123", leg="3b79485f-f68a-436d-8cb6-ceac97303154"
    )
    assert last(out)["channel"] == "1700000000.123"
    assert last(out)["leg"] == "3b79485f-f68a-436d-8cb6-ceac97303154"


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_and_local_variables_are_not_shown_with_an_error(out, as_json):
    configure_logs(level="info", as_json=as_json, pii=False, stream=out)
    lead = "Lena " + "Lead"
    try:
        int("no +13035550142")
    except ValueError:
        structlog.get_logger("x").exception("broke", api_token="hunter2", nested={"password": "hunter2"})
    shown = out.getvalue()
    assert "ValueError" in shown
    assert "Traceback" in shown
    for canary in ("hunter2", "5550142", lead):
        assert canary not in shown


def test_the_standard_librarys_logs_come_the_same_way_and_quietly(out):
    configure_logs(level="info", as_json=True, pii=False, stream=out)
    logging.getLogger("uvicorn.error").warning("from %s", "+13035550142")
    assert last(out)["event"] == "from …42"
    logging.getLogger("alembic.runtime").info("Context impl")
    assert "Context impl" not in out.getvalue()


def test_below_the_level_nothing_is_shown(out):
    configure_logs(level="warning", as_json=True, pii=False, stream=out)
    structlog.get_logger("x").info("quiet")
    assert out.getvalue() == ""
