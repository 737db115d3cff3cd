"""The real command with --cache, --record and --replay, and `easyllm cache`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.adapters import HTTP_ADAPTERS
from tests.support.binary import Easyllm, RunResult, chat_answer_script, single_profile_toml
from tests.support.images import png
from tests.support.objects import parse_answer_json, parse_jsonl_events, parse_listing_json
from tests.support.replaying import NOWHERE
from tests.support.standins.script import Script, chunk, script_handler
from tests.support.standins.server import StandIn

HELLO = chat_answer_script("Hel", "lo", reasoning="Hm")
TIMES = re.compile(
    rb'"(ms|ms_first_token|wait)": ?[\d.]+|"id": ?"\w+"|"replayed": ?(null|\{[^}]*\})'
)
OLLAMA = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "ollama")


def answers(easyllm: Easyllm) -> list[Path]:
    """The files of the cache."""
    return sorted((easyllm.home / "cache" / "easyllm" / "answers").glob("*/*"))


def run_twice(
    easyllm: Easyllm, *words: str, script: Script = HELLO, env: dict[str, str] | None = None
) -> tuple[RunResult, RunResult]:
    """Run the same command twice; the server answers once."""
    with StandIn(script_handler(script)) as server:
        profiles = single_profile_toml(server)
        first = easyllm.run(*words, profiles=profiles, env=env)
        second = easyllm.run(*words, profiles=profiles, env=env)
        assert len(server.requests) == 1
    return first, second


@pytest.mark.parametrize(
    "words",
    [
        ["chat", "hi"],
        ["chat", "--json", "hi"],
        ["chat", "-t", "0.5", "-x", "hi"],
        ["stream", "--jsonl", "hi"],
        ["vision", "red.png", "hi"],
        ["cot", "hi"],
        ["cot", "--reasoning", "tags", "hi"],
    ],
    ids=" ".join,
)
def test_rec_1_the_same_output_without_network(easyllm: Easyllm, words: list[str]) -> None:
    (easyllm.home / "red.png").write_bytes(png(4, 4, (255, 0, 0)))
    with StandIn(OLLAMA.server().handle) as server:
        model = OLLAMA.vision_model if words[0] == "vision" else OLLAMA.model
        profiles = single_profile_toml(server, "ollama", model=model)
        first = easyllm.run(*words, "--record", "answers.jsonl", profiles=profiles)
        asked = len(server.requests)
        nowhere = single_profile_toml(NOWHERE, "ollama", model=model)
        again = easyllm.run(*words, "--replay", "answers.jsonl", profiles=nowhere)
        assert len(server.requests) == asked
    assert again.code == first.code
    assert TIMES.sub(b"", again.stdout) == TIMES.sub(b"", first.stdout)
    if words[0] == "cot":
        assert again.stderr == first.stderr


def test_rec_1_a_failed_script_fails_again(easyllm: Easyllm) -> None:
    script = Script(chunk("half"))
    with StandIn(script_handler(script)) as server:
        first = easyllm.run(
            "stream", "--record", "a.jsonl", "hi", profiles=single_profile_toml(server)
        )
    again = easyllm.run("stream", "hi", env={"EASYLLM_REPLAY": "a.jsonl"})
    assert (again.code, again.stdout, again.stderr) == (first.code, first.stdout, first.stderr)
    assert (first.code, first.stdout) == (7, b"half\n")


def test_rec_2_no_header_and_no_key_is_recorded(easyllm: Easyllm) -> None:
    key, header = "sk-0123456789abcdef", "team-secret-42"
    script = Script(
        json.dumps({"error": {"message": f"wrong key {key}"}}).encode(), status=401,
        headers={"X-Request-Id": "req-1", "Set-Cookie": "session=cookie-1234"},
        content_type="application/json",
    )  # fmt: skip
    with StandIn(script_handler(script, HELLO)) as server:
        profiles = single_profile_toml(server, api_key=key, headers={"X-Team": header})
        for code in (3, 0):
            ran = easyllm.run("chat", "--record", "a.jsonl", "hi", profiles=profiles)
            assert ran.code == code, ran.stderr
    text = (easyllm.home / "a.jsonl").read_text()
    for secret in (key, header, "cookie-1234", "127.0.0.1"):
        assert secret not in text


def test_rec_3_an_unknown_request_is_4(easyllm: Easyllm) -> None:
    with StandIn(script_handler(HELLO)) as server:
        easyllm.run("chat", "--record", "a.jsonl", "hi", profiles=single_profile_toml(server))
        ran = easyllm.run("chat", "--json", "--replay", "a.jsonl", "-t", "1", "hi")
        assert len(server.requests) == 1
    error = parse_answer_json(ran)["error"]
    assert (ran.code, error["kind"]) == (4, "not_found")
    assert "the nearest is line 2, which differs in temperature" in error["message"]


def test_cache_4_the_same_json_but_for_times(easyllm: Easyllm) -> None:
    first, again = (
        parse_answer_json(ran)
        for ran in run_twice(easyllm, "chat", "--cache", "1h", "--json", "hi")
    )
    changing = {"id", "ms", "ms_first_token", "notes", "replayed", "cost_usd", "cost_source"}
    assert {key for key in first if first[key] != again[key]} <= changing
    assert first["replayed"] is None
    assert again["replayed"] == {"from": "cache", "age_s": again["replayed"]["age_s"]}
    assert (again["cost_usd"], again["cost_source"]) == (0, "cache")
    assert again["notes"] == ["from the cache, just now"]


def test_cache_6_a_kept_answer_needs_no_key_and_no_server(easyllm: Easyllm) -> None:
    words = ["chat", "--cache", "1h", "hi"]
    with StandIn(script_handler(HELLO)) as server:
        profiles = single_profile_toml(server, api_key_env="THE_KEY")
        assert easyllm.run(*words, profiles=profiles, env={"THE_KEY": "sk-1"}).code == 0
        assert easyllm.run("chat", "hi", profiles=profiles).code == 3
    ran = easyllm.run(*words, profiles=profiles)
    assert (ran.code, ran.stdout) == (0, b"Hello\n")


def test_a_kept_answer_is_told_on_stderr(easyllm: Easyllm) -> None:
    first, again = run_twice(easyllm, "chat", "hi", env={"EASYLLM_CACHE": "1h"})
    assert (first.stdout, first.stderr) == (b"Hello\n", "")
    assert (again.stdout, again.stderr) == (b"Hello\n", "easyllm: from the cache, just now\n")
    ran = easyllm.run("stream", "--jsonl", "hi", env={"EASYLLM_CACHE": "1h"})
    events = parse_jsonl_events(ran)
    assert [event["text"] for event in events if event["kind"] == "text"] == ["Hel", "lo"]


def test_the_option_beats_the_variable_and_the_variable_the_setting(easyllm: Easyllm) -> None:
    with StandIn(script_handler(HELLO)) as server:
        profiles = single_profile_toml(server, cache="1h")
        for count, (words, variable) in enumerate(
            [([], None), (["--cache", "off"], "1h"), ([], "off"), (["--cache", "1h"], "off")], 1
        ):
            easyllm.run("chat", *words, "hi", profiles=profiles, env={"EASYLLM_CACHE": variable})
            assert len(server.requests) == min(count, 3)


@pytest.mark.parametrize(
    ("words", "script"),
    [
        (["-x"], HELLO),
        (["--max-tokens", "5"], chat_answer_script("Hel", finish="length")),
        (["--schema", "schema.json"], HELLO),
        (["--reasoning", "only"], chat_answer_script("Hello")),
        ([], chat_answer_script("Hel", finish="content_filter")),
        ([], chat_answer_script("the key is sk-0123456789")),
    ],
    ids=["no code", "length", "schema", "no reasoning", "filter", "a key"],
)
def test_cache_1_what_is_not_whole_is_not_kept(
    easyllm: Easyllm, words: list[str], script: Script
) -> None:
    (easyllm.home / "schema.json").write_text('{"type": "object"}')
    with StandIn(script_handler(script)) as server:
        profiles = single_profile_toml(server, api_key="sk-0123456789")
        easyllm.run("chat", "--cache", "1h", *words, "hi", profiles=profiles)
    assert not answers(easyllm)


def test_cache_1_a_kept_answer_without_code_is_not_used_for_x(easyllm: Easyllm) -> None:
    code = chat_answer_script("```\nls\n```")
    with StandIn(script_handler(HELLO, code)) as server:
        env, profiles = {"EASYLLM_CACHE": "1h"}, single_profile_toml(server)
        easyllm.run("chat", "hi", profiles=profiles, env=env)
        ran = [easyllm.run("chat", "-x", "hi", profiles=profiles, env=env) for _ in range(2)]
        assert len(server.requests) == 2
    assert [(each.code, each.stdout) for each in ran] == [(0, b"ls\n")] * 2


@pytest.mark.parametrize(
    ("words", "env", "message"),
    [
        (["--record", "a", "--replay", "b"], {}, "--record and --replay do not go together"),
        (["--record", "a"], {"EASYLLM_REPLAY": "b"}, "--record and EASYLLM_REPLAY"),
        (["--cache", "soon"], {}, '"soon"'),
        ([], {"EASYLLM_CACHE": "5"}, '"5"'),
        (["--record", ""], {}, "record takes a file or a folder"),
        (["--replay", "none.jsonl"], {}, "cannot be read"),
        (["--replay", "prompt.txt"], {}, "it is not a file of recordings"),
        (["--record", "prompt.txt"], {}, "it is not a file of recordings"),
    ],
)
def test_wrong_options_are_2(
    easyllm: Easyllm, words: list[str], env: dict[str, str], message: str
) -> None:
    (easyllm.home / "prompt.txt").write_text("a text\n")
    profiles = single_profile_toml(NOWHERE)
    ran = easyllm.run("chat", *words, "hi", profiles=profiles, env=env)
    assert (ran.code, ran.stdout) == (2, b"")
    assert message in ran.error_line
    assert (easyllm.home / "prompt.txt").read_text() == "a text\n"


def test_a_recording_that_cannot_be_written_is_8_and_asks_nothing(easyllm: Easyllm) -> None:
    (easyllm.home / "file").write_text("")
    with StandIn(script_handler(HELLO)) as server:
        ran = easyllm.run(
            "chat", "--record", "file/a.jsonl", "hi", profiles=single_profile_toml(server)
        )
        assert (ran.code, len(server.requests)) == (8, 0)


def test_a_cache_that_cannot_be_written_is_a_note(easyllm: Easyllm) -> None:
    (easyllm.home / "cache").write_text("")
    with StandIn(script_handler(HELLO)) as server:
        ran = easyllm.run("chat", "--cache", "1h", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert "the answer is not kept in the cache" in ran.stderr


def test_the_history_has_cached_answers_but_no_replays(easyllm: Easyllm) -> None:
    env = {"EASYLLM_HISTORY": "full"}
    run_twice(easyllm, "chat", "--cache", "1h", "hi", env=env)
    recording = ["chat", "--cache", "1h", "--record", "a.jsonl", "hi"]
    easyllm.run(*recording, env=env)
    easyllm.run("chat", "--replay", "a.jsonl", "hi", env=env)
    calls: list[Any] = parse_listing_json(easyllm.run("history", "--json"), "calls")["calls"]
    assert [call["replayed"] and call["replayed"]["from"] for call in calls] == [
        "cache", "cache", None,
    ]  # fmt: skip
    for words in (["--conversation", "new:x"], ["--conversation", "x"]):
        ran = easyllm.run("chat", "--replay", "a.jsonl", *words, "hi", env=env)
        # The second turn was never recorded: it is found that it continues the first.
        assert ran.code == (0 if "new:x" in words else 4), ran.stderr


def test_clear_and_path(easyllm: Easyllm) -> None:
    run_twice(easyllm, "chat", "--cache", "1h", "hi")
    path = easyllm.run("cache")
    assert (path.code, path.stdout.decode().strip()) == (0, str(answers(easyllm)[0].parents[1]))
    listing = parse_listing_json(easyllm.run("cache", "path", "--json"), "path")
    assert (listing["path"], listing["exists"]) == (path.stdout.decode().strip(), True)
    kept = easyllm.run("cache", "clear", "--older", "1d")
    assert (kept.code, kept.stderr, len(answers(easyllm))) == (0, "", 1)
    cleared = easyllm.run("cache", "clear")
    assert (cleared.code, cleared.stdout) == (0, b"")
    assert cleared.stderr.startswith("easyllm: 1 answer deleted (")
    assert not answers(easyllm)
    assert easyllm.run("cache", "clear", "--older", "soon").code == 2
