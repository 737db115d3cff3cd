"""What is kept of an answer, in which mode, and that a broken history harms nothing."""

import os
import resource
import signal
import sqlite3
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    profile_toml,
    read_until,
    run_concurrently,
    single_profile_toml,
)
from tests.support.objects import parse_answer_json, parse_listing_json
from tests.support.standins.script import Cut, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import run_on_terminals

HELLO = chat_answer_script("Hello", reasoning="Hm.")
KEY = "sk-proj-abcdefghijklmnop"
DEFAULT: dict[str, str | None] = {"EASYLLM_HISTORY": None}
FULL: dict[str, str | None] = {"EASYLLM_HISTORY": "full"}


def database(easyllm: Easyllm) -> Path:
    return easyllm.home / "state" / "easyllm" / "history.db"


def calls(easyllm: Easyllm) -> list[Any]:
    """The calls that are kept, the newest first."""
    return list(parse_listing_json(easyllm.run("history", "--json"), "calls")["calls"])


def ask(
    easyllm: Easyllm, *words: str, script: Script = HELLO, command: str = "chat", **more: Any
) -> RunResult:
    with StandIn(script_handler(script)) as server:
        profiles = single_profile_toml(server, **more.pop("keys", {}))
        return easyllm.run(command, *words, "hi", profiles=profiles, **more)


def test_a_pipe_keeps_numbers_only(easyllm: Easyllm) -> None:
    ran = ask(easyllm, "--json", env=DEFAULT)
    answer = parse_answer_json(ran)
    (call,) = calls(easyllm)
    assert (call["id"], call["conversation"]) == (answer["id"], None)
    assert answer["conversation"] is None
    assert (call["profile"], call["model"], call["host"]) == ("t", "test-model", "127.0.0.1")
    assert (call["command"], call["exit_code"], call["complete"]) == ("chat", 0, True)
    assert call["finish_reason"] == "stop"
    texts = ("prompt", "text", "reasoning", "system", "messages", "error")
    assert not [key for key in texts if call[key] is not None]
    assert (ran.stderr, b"Hello" in database(easyllm).read_bytes()) == ("", False)


def test_a_terminal_keeps_texts_and_says_so_once(easyllm: Easyllm) -> None:
    with StandIn(script_handler(HELLO)) as server:
        profiles = single_profile_toml(server)
        easyllm.run("chat", "hi", profiles=profiles, env=DEFAULT)  # keeps numbers only
        first, second = (
            run_on_terminals(easyllm, "chat", "hi", profiles=profiles, env=DEFAULT, terminals="2")
            for _ in range(2)
        )
    assert first[:2] == second[:2] == (0, "Hello\n")
    assert "easyllm history off" in first[2]
    assert "history" not in second[2]
    call = calls(easyllm)[0]
    assert (call["prompt"], call["text"], call["reasoning"]) == ("hi", "Hello", "Hm.")
    assert call["conversation"] == call["id"]


@pytest.mark.parametrize(
    ("words", "env", "keys", "top", "text"),
    [
        (["--history", "full"], {"EASYLLM_HISTORY": "off"}, {"history": "off"}, "off", "Hello"),
        ([], FULL, {"history": "metadata"}, "metadata", "Hello"),
        ([], DEFAULT, {"history": "full"}, "off", "Hello"),
        ([], DEFAULT, {}, "full", "Hello"),
        ([], {"EASYLLM_HISTORY": None, "EASYLLM_CONVERSATION": "x"}, {}, None, "Hello"),
        (["--conversation", "new:x"], DEFAULT, {}, None, "Hello"),
        ([], {"EASYLLM_HISTORY": None, "EASYLLM_CONVERSATION": "x"}, {}, "metadata", None),
        (["--history", "metadata"], FULL, {"history": "full"}, "full", None),
    ],
)  # fmt: skip
def test_the_first_that_is_set_decides(
    easyllm: Easyllm, words: list[str], env: Any, keys: Any, top: str | None, text: str | None
) -> None:
    with StandIn(script_handler(HELLO)) as server:
        line = f'history = "{top}"\n' if top else ""
        profiles = line + single_profile_toml(server, **keys)
        assert easyllm.run("chat", *words, "hi", profiles=profiles, env=env).code == 0
    assert [call["text"] for call in calls(easyllm)] == [text]


def test_hist_5_off_makes_no_file(easyllm: Easyllm) -> None:
    assert ask(easyllm, "--history", "off", env=DEFAULT).code == 0
    assert ask(easyllm, env=DEFAULT, keys={"history": "off"}).code == 0
    assert not (easyllm.home / "state").exists()


def test_a_fallback_that_keeps_nothing_counts_too(easyllm: Easyllm) -> None:
    with StandIn(script_handler(HELLO)) as server:
        profiles = single_profile_toml(server, fallback=["private"]) + profile_toml(
            f"{server.url}/v1", name="private", history="off"
        )
        ran = easyllm.run("chat", "hi", profiles=profiles, env=DEFAULT)
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert not database(easyllm).exists()


def test_hist_3_the_key_is_not_in_the_file(easyllm: Easyllm) -> None:
    key = {"api_key": KEY, "headers": {"X-Team": "header-value"}}
    ran = ask(easyllm, f"my key is {KEY}", env=FULL, keys=key, script=chat_answer_script(KEY))
    assert (ran.code, ran.stdout.decode()) == (0, f"{KEY}\n")
    data = database(easyllm).read_bytes()
    assert KEY.encode() not in data
    assert b"header-value" not in data
    assert b"my key is ***" in data


def test_hist_4_files_are_private(easyllm: Easyllm) -> None:
    before = os.umask(0)
    try:
        assert ask(easyllm, env=FULL).code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(database(easyllm).stat().st_mode) == 0o600
    assert stat.S_IMODE(database(easyllm).parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("script", "code", "kind", "text"),
    [
        (Script(chunk("Hel"), chunk("lo"), Cut()), 7, "incomplete", "Hello"),
        (Script(b"{}", status=401), 3, "auth", ""),
        (chat_answer_script("", finish="content_filter"), 4, "filtered", ""),
    ],
)
def test_hist_10_a_failed_answer_is_kept(
    easyllm: Easyllm, script: Script, code: int, kind: str, text: str
) -> None:
    ran = ask(easyllm, "--no-retry", env=FULL, script=script)
    assert ran.code == code
    (call,) = calls(easyllm)
    assert (call["exit_code"], call["error_kind"], call["text"]) == (code, kind, text)
    assert call["complete"] is False
    assert call["error"]


def test_hist_10_a_stopped_answer_is_kept(easyllm: Easyllm) -> None:
    slow = Script(chunk("Hel"), chunk("lo"), Wait(30))
    with StandIn(script_handler(slow)) as server:
        profiles = single_profile_toml(server)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with easyllm.start("stream", "hi", profiles=profiles, env=FULL) as child:
                read_until(child.stdout, b"Hello")
                child.send_signal(number)
                assert finish(child, None).code == code
    kept = [(call["exit_code"], call["complete"], call["text"]) for call in calls(easyllm)]
    assert kept == [(143, False, "Hello"), (130, False, "Hello")]


def test_hist_10_an_answer_whose_reader_left_is_kept(easyllm: Easyllm) -> None:
    slow = Script(chunk("Hel"), Wait(0.3), chunk("lo"), Wait(0.3), *[chunk("!")] * 3, Wait(30))
    with StandIn(script_handler(slow)) as server:
        easyllm.write_profiles(single_profile_toml(server))
        assert easyllm.shell('"$E" stream hi | head -c 3', env=FULL).stdout == b"Hel"
    (call,) = calls(easyllm)
    assert (call["exit_code"], call["complete"]) == (141, False)
    assert call["text"].startswith("Hel")


def test_what_is_not_kept(easyllm: Easyllm) -> None:
    with StandIn(script_handler(HELLO)) as server:
        profiles = single_profile_toml(server)
        for words in (["chat", "--dry-run", "hi"], ["chat", "--messages", "absent.json"]):
            easyllm.run(*words, profiles=profiles, env=FULL)
        easyllm.run("cot", "--extract", stdin="<think>a</think>b", env=FULL)
    assert not database(easyllm).exists()


def as_a_file(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("in the way")


def newer(path: Path) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()


def folder(path: Path) -> None:
    path.mkdir(parents=True)


@pytest.mark.parametrize("broken", [as_a_file, newer, folder])
def test_fault_54_and_hist_7_a_broken_history_costs_one_warning(
    easyllm: Easyllm, broken: Callable[[Path], None]
) -> None:
    broken(database(easyllm))
    for env in (DEFAULT, FULL):
        ran = ask(easyllm, env=env)
        assert (ran.code, ran.stdout) == (0, b"Hello\n")
        assert ran.error_line.startswith("easyllm: the answer is not kept in the history: ")
    ran = ask(easyllm, "-q", env=FULL)
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hello\n", "")
    ran = ask(easyllm, "--json", env=FULL, script=Script(b"{}", status=401))
    assert (ran.code, ran.json["error"]["kind"]) == (3, "auth")


def test_hist_7_a_locked_history_costs_one_warning(easyllm: Easyllm) -> None:
    assert ask(easyllm, env=FULL).code == 0
    connection = sqlite3.connect(database(easyllm), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    ran = ask(easyllm, env=FULL)
    connection.close()
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert "locked by another process" in ran.error_line


def test_hist_7_a_full_disk_costs_one_warning(easyllm: Easyllm) -> None:
    """A limit of the size of files stands for it; SQLite needs at least 50 KB."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ran = ask(easyllm, env=FULL, command="chat", preexec_fn=limit)
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert "not kept in the history" in ran.error_line


def test_hist_7_a_damaged_history_is_moved(easyllm: Easyllm) -> None:
    database(easyllm).parent.mkdir(parents=True)
    database(easyllm).write_bytes(b"no database\n" * 100)
    ran = ask(easyllm, env=FULL)
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hello\n", "")
    assert len(calls(easyllm)) == 1
    assert len(list(database(easyllm).parent.glob("history.db.corrupt-*"))) == 1


@pytest.mark.parametrize(
    ("processes", "rounds"), [(10, 1), pytest.param(50, 10, marks=pytest.mark.full)]
)
def test_fault_55_and_hist_1_many_processes_start_a_history(
    easyllm: Easyllm, processes: int, rounds: int
) -> None:
    with StandIn(script_handler(HELLO)) as server:
        for _ in range(rounds):
            fresh = easyllm.with_new_home()
            fresh.write_profiles(single_profile_toml(server))
            run = partial(fresh.run, "chat", "hi", env=FULL, timeout=60)
            runs = run_concurrently(*[run] * processes)
            assert {(ran.code, ran.stdout, ran.stderr) for ran in runs} == {(0, b"Hello\n", "")}
            connection = sqlite3.connect(database(fresh))
            rows = connection.execute("SELECT count(*), count(DISTINCT id) FROM call").fetchone()
            connection.close()
            assert rows == (processes, processes)


def test_history_keep_deletes_older_answers(easyllm: Easyllm) -> None:
    assert ask(easyllm, env=FULL).code == 0
    connection = sqlite3.connect(database(easyllm))
    connection.execute("UPDATE call SET started_at = started_at - 86400 * 30")
    connection.execute("DELETE FROM meta")
    connection.commit()
    connection.close()
    with StandIn(script_handler(HELLO)) as server:
        profiles = 'history_keep = "20d"\n' + single_profile_toml(server)
        assert easyllm.run("chat", "hi", profiles=profiles, env=FULL).code == 0
    assert len(calls(easyllm)) == 1


def test_a_wrong_variable_is_an_error(easyllm: Easyllm) -> None:
    ran = ask(easyllm, env={"EASYLLM_HISTORY": "yes"})
    assert (ran.code, ran.stdout) == (2, b"")
    assert 'EASYLLM_HISTORY is "yes"' in ran.error_line
