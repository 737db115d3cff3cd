"""The command with `--config-db URL --config-id ID`, which uses a database row as the profile."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from easyllm_cli import ModelConfig
from tests.extras.rows import KEY, create_database, row
from tests.support import ROOT
from tests.support.binary import (
    BINARY,
    POWERLESS,
    Easyllm,
    RunResult,
    single_profile_toml,
    split_error_line,
)
from tests.support.images import png
from tests.support.objects import parse_answer_json, parse_models_json
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

PASSWORD = "hunter2-of-the-database"
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def server() -> OpenAIServer:
    return OpenAIServer(key=KEY, reasoning="Because.")


@pytest.fixture
def path(easyllm: Easyllm, server: OpenAIServer) -> Iterator[Path]:
    """Yield a database with the row `abc123`, whose server is running."""
    with StandIn(server.handle) as stand_in:
        file = easyllm.home / "models.db"
        whole = row(f"{stand_in.url}/v1", temperature=0.2, max_tokens=50)
        create_database(
            file, whole, row(None, id="bare", provider_id="openrouter", model_name="")
        ).dispose()
        yield file


def options(path: Path | str, row_id: str = "abc123") -> list[str]:
    return ["--config-db", f"sqlite:///{path}", "--config-id", row_id]


def run_refused(easyllm: Easyllm, *args: str) -> RunResult:
    """Run a failing command; check exit code 2, one error line, and that no secret is printed."""
    ran = easyllm.run("chat", "hi", *args)
    assert (ran.code, ran.stdout) == (2, b"")
    assert ran.error_line
    debug_run = easyllm.run("chat", "hi", *args, "--debug", "--json")
    for secret in (PASSWORD, KEY):
        assert secret not in ran.stderr + debug_run.stderr + debug_run.stdout.decode()
    assert parse_answer_json(debug_run)["error"]["exit_code"] == 2
    return ran


COMMANDS = {
    "chat": (["chat", "hi"], "Hello from gpt-4o: hi\n"),
    "stream": (["stream", "hi"], "Hello from gpt-4o: hi\n"),
    "cot": (["cot", "hi"], "Hello from gpt-4o: hi\n"),
    "vision": (["vision", "a.png", "hi"], "Hello from gpt-4o: hi\n"),
    "models": (["models"], "gpt-4o\ngpt-4o-mini\n"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_row(easyllm: Easyllm, path: Path, command: str) -> None:
    (easyllm.home / "a.png").write_bytes(png(8, 8, (255, 0, 0)))
    args, says = COMMANDS[command]
    ran = easyllm.run(*args, *options("models.db"))
    assert (ran.code, ran.stdout.decode()) == (0, says), ran.stderr
    assert ran.stderr == ("Because.\n" if command == "cot" else "")


def test_flags_override_the_row(easyllm: Easyllm, path: Path, server: OpenAIServer) -> None:
    flags = ["-m", "gpt-4o-mini", "-t", "0.9", "--seed", "1", "-s", "Be short."]
    ran = easyllm.run("chat", "hi", *options(path), *flags)
    assert ran.stdout == b"Hello from gpt-4o-mini: hi\n"
    sent = server.requests[-1].json
    assert (sent["temperature"], sent["max_tokens"], sent["seed"]) == (0.9, 50, 1)
    assert sent["messages"][0] == {"role": "system", "content": "Be short."}


def test_variables_and_the_profiles_file_do_not_override_the_row(
    easyllm: Easyllm, path: Path
) -> None:
    env = {"EASYLLM_PROFILE": "t", "EASYLLM_MODEL": "another"}
    ran = easyllm.run("chat", "hi", *options(path), env=env, profiles=single_profile_toml(NOWHERE))
    assert ran.stdout == b"Hello from gpt-4o: hi\n"


def test_json_names_the_row(easyllm: Easyllm, path: Path) -> None:
    answer = parse_answer_json(easyllm.run("chat", "hi", "--json", *options(path)))
    assert (answer["profile"], answer["provider"], answer["model"]) == (
        "abc123", "openai", "gpt-4o",
    )  # fmt: skip
    listed = parse_models_json(easyllm.run("models", "--json", *options(path)))
    assert [model["id"] for model in listed["models"]] == ["gpt-4o", "gpt-4o-mini"]


def test_a_dry_run_shows_no_key(easyllm: Easyllm, path: Path, server: OpenAIServer) -> None:
    ran = easyllm.run("chat", "hi", "--dry-run", *options(path))
    assert ran.json["headers"] == {"Authorization": "***"}
    assert ran.json["body"]["temperature"] == 0.2
    assert server.requests == []


def test_only_what_the_row_or_a_flag_names_is_sent(easyllm: Easyllm, tmp_path: Path) -> None:
    create_database(tmp_path / "few.db", row(NOWHERE)).dispose()
    dry = easyllm.run("chat", "hi", "--dry-run", *options(tmp_path / "few.db"))
    assert set(dry.json["body"]) == {"model", "messages", "stream", "stream_options"}


def test_a_key_never_goes_over_http_to_another_machine(easyllm: Easyllm, tmp_path: Path) -> None:
    create_database(tmp_path / "far.db", row("http://192.0.2.1/v1")).dispose()
    ran = run_refused(easyllm, *options(tmp_path / "far.db"))
    assert "over http://" in ran.error_line


def test_missing_and_incomplete_rows(easyllm: Easyllm, path: Path) -> None:
    ran = run_refused(easyllm, *options(path, "unknown"))
    where = f'row "unknown" of model_config, sqlite:///{path}'
    assert split_error_line(ran.error_line) == ("no such row", where, "check the id")
    ran = run_refused(easyllm, *options(path, "bare"))
    assert split_error_line(ran.error_line)[0] == "no model is named"
    assert "easyllm models --config-db URL --config-id bare lists them" in ran.error_line
    ran = easyllm.run("chat", "hi", *options(path, "bare"), "-m", "m", "--dry-run")
    assert ran.json["body"]["model"] == "m"


def test_a_missing_file_is_not_created(easyllm: Easyllm, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    urls = [f"sqlite:///{missing}", f"sqlite:///file:{missing}?uri=true"]
    urls += [f"sqlite:///file:{missing}?mode=rwc&uri=true", f"sqlite:///{missing}?mode=rwc"]
    for url in urls:
        run_refused(easyllm, "--config-db", url, "--config-id", "a")
        assert not missing.exists(), url
    ran = run_refused(easyllm, "--config-db", urls[0], "--config-id", "a")
    assert split_error_line(ran.error_line)[:2] == ("no such database file", str(missing))


def test_a_path_with_url_characters(easyllm: Easyllm, tmp_path: Path) -> None:
    odd = tmp_path / "a b%20#é.db"
    create_database(odd, row(NOWHERE)).dispose()
    url = URL.create("sqlite", database=str(odd)).render_as_string()
    ran = easyllm.run("chat", "hi", "--dry-run", "--config-db", url, "--config-id", "abc123")
    assert ran.code == 0, ran.stderr
    assert [file.name for file in tmp_path.glob("*.db*")] == [odd.name]


def test_a_database_that_cannot_be_used(easyllm: Easyllm, tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).execute("vacuum").connection.close()
    ran = run_refused(easyllm, *options(empty))
    assert "no such table: model_config" in ran.error_line
    not_a_database = tmp_path / "other.db"
    not_a_database.write_bytes(b"this is no database" * 100)
    assert "file is not a database" in run_refused(easyllm, *options(not_a_database)).error_line
    assert "no such database file" in run_refused(easyllm, *options(tmp_path)).error_line
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "no such database file" in run_refused(easyllm, *options(pipe)).error_line


def test_a_read_only_and_an_unreadable_database(easyllm: Easyllm, path: Path) -> None:
    powerless = [*POWERLESS, BINARY] if os.getuid() == 0 else None
    path.chmod(0o400)
    ran = easyllm.run("chat", "hi", *options(path), command=powerless)
    assert ran.stdout == b"Hello from gpt-4o: hi\n"
    path.chmod(0o000)
    ran = easyllm.run("chat", "hi", *options(path), command=powerless)
    assert (ran.code, ran.stdout) == (2, b"")
    assert "unable to open database file" in ran.error_line


def test_a_locked_database_fails_in_time(easyllm: Easyllm, path: Path) -> None:
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("begin exclusive")
    ran = easyllm.run("chat", "hi", *options(f"{path}?timeout=0.1"))
    assert (ran.code, split_error_line(ran.error_line)[2]) == (
        2,
        "another program is writing to it: try again",
    )
    started_at = time.monotonic()
    ran = easyllm.run("chat", "hi", *options(f"{path}?timeout=60"), "--timeout", "1")
    assert 1 <= time.monotonic() - started_at <= 5
    assert (ran.code, split_error_line(ran.error_line)[2]) == (6, "raise --timeout")
    lock.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "--config-db is not a database URL"),
        (PASSWORD, "--config-db is not a database URL"),
        (f"postgresql://u:p@h:{PASSWORD}/d", "--config-db is not a database URL"),
        (f"postgres://u:{PASSWORD}@h/d", 'did you mean "postgresql"?'),
        (f"postgresql://u:a@{PASSWORD}@h/d", "%40"),
        (f"postgresql+psycopg2://u:{PASSWORD}@h/d", "not installed: psycopg2"),
        (f"postgresql+psycopg2://h/d?password={PASSWORD}", "not installed: psycopg2"),
        (f"sqlite+aiosqlite:///models.db?token={PASSWORD}", "is an async driver"),
        (f"sqlite://u:{PASSWORD}@h/models.db", "no such database file"),
        ("sqlite:///models.db?timeout=soon", "could not convert"),
        ("sqlite://", "no such table"),
    ],
)
def test_the_error_for_a_wrong_url_hides_the_password(
    easyllm: Easyllm, url: str, says: str
) -> None:
    create_database(easyllm.home / "models.db", row(NOWHERE)).dispose()
    if "h/models.db" in url:
        (easyllm.home / "models.db").unlink()
    assert says in run_refused(easyllm, "--config-db", url, "--config-id", "a").error_line


def test_a_password_in_the_drivers_error_is_redacted(easyllm: Easyllm) -> None:
    """A driver installed by a package; its error message contains the password."""
    module = easyllm.home / "loud_driver.py"
    module.write_text(LOUD)
    info = easyllm.home / "loud-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
    entry = "[sqlalchemy.dialects]\nloud = loud_driver:Loud\n"
    (info / "entry_points.txt").write_text(entry)
    url = f"loud://u:{PASSWORD}@h/d?sslpassword={PASSWORD}2"
    for flags in ([], ["--debug"]):
        ran = easyllm.run(
            "chat", "hi", "--config-db", url, "--config-id", "a", *flags,
            env={"PYTHONPATH": str(easyllm.home)},
        )  # fmt: skip
        assert ran.code == 2
        assert "no login for u" in ran.stderr
        assert PASSWORD not in ran.stderr


LOUD = """
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
import sqlite3
class Loud(SQLiteDialect_pysqlite):
    name = "loud"
    supports_statement_cache = True
    def create_connect_args(self, url):
        return [url], {}
    def connect(self, url, **more):
        raise sqlite3.OperationalError(
            f"no login for {url.username} with {url.password} {url.query['sslpassword']}"
        )
"""


def test_the_table_is_the_documented_one() -> None:
    columns = [column.name for column in ModelConfig.__table__.columns]
    document = ROOT.joinpath("docs", "profiles.md").read_text("utf-8")
    assert ", ".join(f"`{name}`" for name in columns) in " ".join(document.split())


def test_the_budget_of_all_profiles_holds_for_a_row(easyllm: Easyllm, path: Path) -> None:
    """The server is on this machine and gets a key, so that nobody knows the price."""
    easyllm.write_profiles("budget = { day = 1 }\n")
    ran = easyllm.run("chat", "hi", *options(path))
    assert (ran.code, ran.stdout) == (2, b"")
    assert "a budget is set, and no price is known for gpt-4o" in ran.error_line
