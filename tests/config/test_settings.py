"""callcontrol.yaml."""

from pathlib import Path

import pytest

from callcontrol.app import compose, storage
from callcontrol.config import ConfigError, PbxKind, load_config, secret_files

TOKEN = "t0ken-" + "x" * 30
SHIPPED = Path(__file__).parents[2] / "config" / "callcontrol.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"ami": "amisecret\n", "api-token": TOKEN}.items():
        file = tmp_path / "secrets" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    return tmp_path


def written(folder: Path, text: str, mode: int = 0o644) -> Path:
    file = folder / "callcontrol.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


MINIMAL = """\
asterisk:
  secret_file: secrets/ami
api:
  tokens:
    - name: bot
      secret_file: secrets/api-token
"""


def refusal(folder: Path, text: str, mode: int = 0o644) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(written(folder, text, mode))
    return str(raised.value).replace(f"{folder}/", "")


def test_the_shipped_file_is_right_once_its_secrets_are_there(folder):
    config = load_config(written(folder, SHIPPED.read_text()))
    assert config.asterisk is not None
    assert config.asterisk.secret.get_secret_value() == "amisecret"
    assert config.api.tokens[0].secret.get_secret_value() == TOKEN
    assert config.speech is not None
    assert config.speech.command[0] == "espeak-ng"
    assert secret_files(folder / "callcontrol.yaml") == [
        folder / "secrets" / "ami",
        folder / "secrets" / "api-token",
    ]


FREESWITCH = """\
pbx: freeswitch
freeswitch:
  secret_file: secrets/ami
  dial: { extension: "sofia/internal/{address}%example.com" }
api:
  tokens:
    - name: bot
      secret_file: secrets/api-token
"""


def test_a_freeswitch_has_a_section_of_its_own(folder):
    file = written(folder, FREESWITCH)
    config = load_config(file)
    assert config.freeswitch is not None
    assert config.freeswitch.username == "callcontrol@callcontrol"
    assert config.freeswitch.dial.extension == "sofia/internal/{address}%example.com"
    assert config.freeswitch.dial.number == "sofia/gateway/trunk/{address}"
    assert secret_files(file) == [folder / "secrets" / "ami", folder / "secrets" / "api-token"]
    assert isinstance(compose.pbx(config, compose.SystemClock()), compose.FreeswitchPbx)


def test_the_section_of_the_chosen_switch_is_needed(folder):
    said = refusal(folder, MINIMAL.replace("asterisk:", "pbx: freeswitch\nasterisk:"))
    assert "pbx is freeswitch, so a section `freeswitch:` is needed" in said


def test_paths_are_relative_to_the_file_and_what_is_written_to_the_state_directory(folder):
    config = load_config(written(folder, MINIMAL + "state_directory: state\n"))
    assert config.state_directory == folder / "state"
    assert config.database_file == folder / "state" / "callcontrol.db"
    assert config.database_url == f"sqlite:///{folder}/state/callcontrol.db"
    assert config.written(config.sms.path) == folder / "state" / "texts.jsonl"


def test_an_absolute_sqlite_path_stays(folder):
    config = load_config(written(folder, MINIMAL + "database: {url: 'sqlite:////srv/cc.db'}\n"))
    assert config.database_file == Path("/srv/cc.db")


def test_a_missing_secret_file_is_named_with_what_makes_it(folder):
    (folder / "secrets" / "ami").unlink()
    said = refusal(folder, MINIMAL)
    assert (
        said
        == "callcontrol.yaml:2: asterisk.secret_file: there is no file secrets/ami; `callcontrol init` makes it"
    )


def test_a_secret_file_that_everyone_may_read_is_refused(folder):
    (folder / "secrets" / "ami").chmod(0o644)
    assert "may be read by everyone; run chmod o-rwx" in refusal(folder, MINIMAL)


def test_a_secret_comes_from_the_environment(folder, monkeypatch):
    text = MINIMAL.replace("secret_file: secrets/ami", "secret_env: CC_TEST_AMI")
    assert "the environment variable CC_TEST_AMI is not set" in refusal(folder, text)
    monkeypatch.setenv("CC_TEST_AMI", "from-env")
    config = load_config(written(folder, text))
    assert config.asterisk is not None
    assert config.asterisk.secret.get_secret_value() == "from-env"


def test_a_credential_of_the_service_takes_the_place_of_the_file(folder, monkeypatch, tmp_path_factory):
    credentials = tmp_path_factory.mktemp("credentials")
    (credentials / "ami").write_text("passed")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    (folder / "secrets" / "ami").unlink()
    config = load_config(written(folder, MINIMAL))
    assert config.asterisk is not None
    assert config.asterisk.secret.get_secret_value() == "passed"


def test_an_inline_secret_needs_a_file_that_only_its_owner_reads(folder):
    text = MINIMAL.replace("secret_file: secrets/ami", "secret: hunter2")
    said = refusal(folder, text)
    assert said.startswith("callcontrol.yaml:2: asterisk.secret: a secret is written here")
    assert "hunter2" not in said
    assert load_config(written(folder, text, 0o600)).pbx is PbxKind.ASTERISK


def test_a_database_password_is_a_secret_too_but_a_url_without_one_is_not(folder):
    said = refusal(folder, MINIMAL + "database: {url: 'postgresql://cc:hunter2@db/cc'}\n")
    assert "database.url: a secret is written here" in said
    config = load_config(written(folder, MINIMAL + "database: {url: 'postgresql://cc@db/cc'}\n"))
    assert config.database_url == "postgresql://cc@db/cc"


def test_no_secret_is_in_the_repr(folder):
    text = MINIMAL + "database: {url: 'postgresql://cc:hunter2@db/cc'}\n"
    shown = repr(load_config(written(folder, text, 0o600)))
    assert "amisecret" not in shown
    assert TOKEN not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            MINIMAL + "loging: {}",
            "callcontrol.yaml:7: loging: is no key that belongs here; did you mean 'logging'?",
        ),
        (
            MINIMAL + "logging: {level: loud}",
            "7: logging.level: 'loud' is none of debug, info, warning, error",
        ),
        (MINIMAL + "logging: {pii: maybe}", "7: logging.pii: 'maybe' is neither yes nor no"),
        (MINIMAL + "logging: loud", "7: logging: 'loud' is no mapping"),
        (
            MINIMAL + "pbx: asterix",
            "7: pbx: 'asterix' is none of asterisk, freeswitch, simulated; did you mean 'asterisk'?",
        ),
        (MINIMAL + "database: {url: 'mysql://x/y'}", "7: database.url: 'mysql' is not supported"),
        (MINIMAL + "database: {url: 'sqlite://'}", "7: database.url: a SQLite database needs a file"),
        (MINIMAL + "database: {url: nonsense}", "7: database.url: "),
        (MINIMAL + "speech: {command: speak}", "7: speech: command must have {raw} in it"),
        (MINIMAL + "speech: {convert: 'sox {raw}'}", "7: speech: convert must have {raw} and {out} in it"),
        (MINIMAL + "speech: {command: 'say \"'}", "7: speech.command: is no command: No closing quotation"),
        (MINIMAL + "speech: {timeout_s: 0}", "7: speech.timeout_s: '0' is too small; it must be more than 0"),
        (MINIMAL + "speech: {timeout_s: inf}", "7: speech.timeout_s: 'inf' is no number"),
        (MINIMAL + "state_directory:", "7: state_directory: nothing is written there"),
        (
            MINIMAL.replace("asterisk:\n", "asterisk:\n  port: 99999\n"),
            "2: asterisk.port: '99999' is too large",
        ),
        (
            MINIMAL.replace("asterisk:\n", "asterisk:\n  port: http\n"),
            "2: asterisk.port: 'http' is no whole number",
        ),
        (
            MINIMAL.replace("asterisk:\n", "asterisk:\n  dial: {extension: PJSIP}\n"),
            "2: asterisk.dial.extension: must have {address} in it, once",
        ),
        (
            MINIMAL.replace("asterisk:\n", "asterisk:\n  dial: {number: 'Local/{address}@out'}\n"),
            "2: asterisk.dial.number: 'Local/alice@out' must end in /n",
        ),
        ("pbx: asterisk\n" + MINIMAL[MINIMAL.index("api") :], "1: pbx is asterisk, so a section `asterisk:`"),
        (MINIMAL[: MINIMAL.index("api")], "api: is missing; add it"),
        (MINIMAL + "tasks: {due_minutes: 0}", "7: tasks.due_minutes: '0' is too small"),
        (MINIMAL + "tasks: {quiet_hours: '21-8'}", "7: tasks.quiet_hours: '21-8' is no span of time"),
        (
            MINIMAL + "tasks: {quiet_hours: '08:00-08:00'}",
            "is no span of time; write one from 00:00 to 24:00",
        ),
        (MINIMAL + "tasks: {region: Germany}", "7: tasks.region: 'Germany' is no country"),
        (MINIMAL + "tasks: {trunk_prefixes: [x]}", "'x' can't be dialled before a number"),
        (MINIMAL + "tasks: {escalation: {at_most: 100}}", "7: tasks.escalation.at_most: '100' is too large"),
        ("- a\n- b", "callcontrol.yaml:1: must hold keys and values"),
        ("", "callcontrol.yaml: must hold keys and values"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_would_be_right(folder, text, said):
    assert said in refusal(folder, text)


def test_a_short_token_is_refused_and_not_shown(folder):
    (folder / "secrets" / "api-token").write_text("short")
    said = refusal(folder, MINIMAL)
    assert "api.tokens[0].secret: must be at least 24" in said
    assert "short" not in said


def test_two_tokens_of_one_name_are_refused(folder):
    text = MINIMAL + "    - name: bot\n      secret_file: secrets/api-token\n"
    assert "two tokens have the same name" in refusal(folder, text)


def test_every_problem_is_reported_at_once_in_order_of_lines(folder):
    said = refusal(folder, MINIMAL + "logging: {level: y}\npbx: x\nsms: {path: }\n")
    assert [line.split(":")[1] for line in said.splitlines()] == ["7", "8", "9"]


OWN = """
own_tables:
  url: sqlite:///crm.db
  lead: |
    SELECT contact_id AS lead_id, full_name AS name -- their own names
    FROM contact WHERE contact_id = :lead_id
"""


def test_the_sites_own_tables_are_beside_the_file_and_a_query_may_have_several_lines(folder):
    own = load_config(written(folder, MINIMAL + OWN)).own_tables
    assert own is not None
    assert own.url.get_secret_value() == f"sqlite:///{folder}/crm.db"
    assert own.lead is not None
    assert own.lead.splitlines()[0] == "SELECT contact_id AS lead_id, full_name AS name -- their own names"
    assert own.agents is None


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("  lead: |", "  lead: DELETE\n  agents: |", "own_tables.lead: is no query; write SELECT"),
        ("  lead: |", "  leads: |", "own_tables.leads: is no key that belongs here; did you mean 'lead'?"),
        ("sqlite:///crm.db", "mysql://x/y", "own_tables.url: 'mysql' is not supported"),
    ],
)
def test_own_tables_that_make_no_sense_are_refused(folder, right, wrong, said):
    assert said in refusal(folder, MINIMAL + OWN.replace(right, wrong))
    assert "own_tables: has no query" in refusal(folder, MINIMAL + "own_tables: {url: 'sqlite:///x.db'}\n")


def test_a_query_of_own_tables_with_parameters_that_nobody_gives_is_refused_at_start(folder):
    config = load_config(written(folder, MINIMAL + OWN.replace(":lead_id", ":contact")))
    with pytest.raises(ConfigError, match=r"own_tables: .*query 'lead'"):
        storage.store(config)


def test_how_tasks_are_gone_about(folder):
    text = "tasks: {due_minutes: 10, quiet_hours: '22:00-24:00', region: de, trunk_prefixes: '8'}\n"
    config = load_config(written(folder, MINIMAL + text))
    rules, plan = storage.task_rules(config), storage.number_plan(config)
    assert (rules.due_s, rules.again_s, rules.at_most) == (600, 900, 3)
    assert (rules.quiet.start_min, rules.quiet.end_min) == (22 * 60, 0)
    assert (plan.region, plan.trunk_prefixes) == ("DE", ("8",))


def test_without_quiet_hours_the_owner_is_told_at_any_time(folder):
    config = load_config(written(folder, MINIMAL + "tasks: {quiet_hours: none}\n"))
    quiet = storage.task_rules(config).quiet
    assert quiet.start_min == quiet.end_min
