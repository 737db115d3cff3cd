"""An auto profile on the command line: told and explained, kept in a conversation, and refused."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.model_list_cache import load_model_facts, save_model_facts
from easyllm_cli.events import Model
from tests.support.binary import Easyllm, chat_answer_script, profile_toml
from tests.support.images import png
from tests.support.objects import parse_answer_json, parse_jsonl_events
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.script import Script, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import SGR, Terminal

AUTO = 'default_profile = "auto"\n[profiles.auto]\nprovider = "auto"\ncandidates = ["mini", "r1"]\n'
CODE = "Write a Python function that reverses a list."
FULL: dict[str, str | None] = {"EASYLLM_HISTORY": "full"}
MINI, R1 = chat_answer_script("From mini."), chat_answer_script("From r1.")
FENCED = chat_answer_script("```python\nx = 1\n```\n")


class Pair:
    """The servers of the candidates `mini` and `r1`."""

    def __init__(self, easyllm: Easyllm, mini: StandIn, r1: StandIn) -> None:
        self.easyllm = easyllm
        self.mini = mini
        self.r1 = r1

    def write(self, settings: str = "", **mini: Any) -> None:
        text = AUTO + settings + profile_toml(self.mini, name="mini", **mini)
        self.easyllm.write_profiles(text + profile_toml(self.r1, name="r1"))

    @property
    def counts(self) -> tuple[int, int]:
        return len(self.mini.requests), len(self.r1.requests)


@pytest.fixture
def pair(easyllm: Easyllm, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Servers that answer "From mini." and "From r1.", or with scripts given as parameters."""
    scripts: tuple[Script, Script] = getattr(request, "param", (MINI, R1))
    with ExitStack() as stack:
        mini, r1 = (stack.enter_context(StandIn(script_handler(*[each] * 4))) for each in scripts)
        pair = Pair(easyllm, mini, r1)
        pair.write('strong = { code = "r1" }\n')
        yield pair


def test_auto_5_explain_says_of_every_candidate_why(easyllm: Easyllm, pair: Pair) -> None:
    ran = easyllm.run("chat", "--explain", CODE)
    assert (ran.code, ran.stdout) == (0, b"From r1.\n")
    assert 'auto: task code ("write … python"' in ran.stderr
    lines = [line.split() for line in ran.stderr.splitlines()]
    assert ["r1", "1", "0", "strong.code"] in lines
    assert ["mini", "2", "0", "if", "the", "one", "before", "fails"] in lines
    assert pair.counts == (0, 1)
    pair.write(api_key_env="ABSENT")
    ran = easyllm.run("chat", "--explain", "--dry-run", "hi")
    assert (ran.code, ran.stderr) == (0, "")
    table = ran.stdout.decode()
    assert "task chat (no sign of another task)" in table
    assert "the first in candidates that fits" in table
    assert "never" in table
    assert "ABSENT is not set" in table
    assert pair.counts == (0, 1)


def test_choice_is_told_in_json_jsonl_and_dry_run(easyllm: Easyllm, pair: Pair) -> None:
    answer = parse_answer_json(easyllm.run("chat", "--json", CODE))
    assert (answer["profile"], answer["text"], answer["attempts"]) == ("r1", "From r1.", 1)
    route = answer["route"]
    assert (route["profile"], route["task"], route["chosen"]) == ("auto", "code", "r1")
    assert [(row["profile"], row["ok"]) for row in route["table"]] == [("r1", True), ("mini", True)]
    assert answer["notes"][0].startswith("auto chose r1: strong.code (task code")
    last = parse_jsonl_events(easyllm.run("chat", "--jsonl", "hi"))[-1]
    assert (last["route"]["chosen"], last["profile"]) == ("mini", "mini")
    request = easyllm.run("chat", "--dry-run", CODE).json
    assert request["route"]["chosen"] == "r1"
    assert request["url"].startswith(pair.r1.url)
    assert pair.counts == (1, 1)
    plain = parse_answer_json(easyllm.run("chat", "--json", "-p", "mini", "hi"))
    assert plain["route"] is None


def test_note_for_people_and_not_for_pipes(easyllm: Easyllm, pair: Pair) -> None:
    assert easyllm.run("chat", "hi").stderr == ""
    assert "auto chose mini: the first" in easyllm.run("chat", "-v", "hi").stderr
    with Terminal(easyllm, "chat", "hi", terminals="2") as terminal:
        code, out, errors = terminal.end()
    assert (code, out) == (0, "From mini.\n")
    assert "auto chose mini: the first in candidates that fits (task chat)" in SGR.sub("", errors)


@pytest.mark.parametrize("pair", [(MINI, FENCED)], indirect=True)
def test_auto_7_code_and_schema_escalate(easyllm: Easyllm, pair: Pair, tmp_path: Path) -> None:
    pair.write('escalate = ["code"]\n')
    ran = easyllm.run("chat", "-x", "hi")
    assert (ran.code, ran.stdout) == (0, b"x = 1\n")
    assert "the answer contains no code block" in ran.stderr
    assert "asking profile r1" in ran.stderr
    pair.write()
    ran = easyllm.run("chat", "-x", "hi")
    assert (ran.code, ran.stdout) == (7, b"")
    assert pair.counts == (2, 1)
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    pair.write('escalate = ["schema"]\n')
    ran = easyllm.run("chat", "--schema", str(schema), "hi")
    assert ran.code == 7  # neither answer fits
    assert pair.counts == (3, 2)


def test_conversation_stays_with_its_candidate(
    easyllm: Easyllm, pair: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = parse_answer_json(easyllm.run("chat", "--json", CODE, env=FULL))
    assert first["profile"] == "r1"
    id = first["conversation"]
    second = parse_answer_json(easyllm.run("chat", "--json", "--conversation", id, "hi", env=FULL))
    assert (second["profile"], second["route"]["task"]) == ("r1", "chat")
    assert second["route"]["table"][0]["why"] == "it has answered in this conversation"
    assert pair.r1.requests[-1].json["messages"][0]["content"] == CODE
    # a hard filter unseats it
    monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
    blind = [Model("test-model", vision=False)]
    save_model_facts("r1", f"{pair.r1.url}/v1", blind)
    image = tmp_path / "dot.png"
    image.write_bytes(png(1, 1, (0, 0, 0)))
    words = ("chat", "--json", "--conversation", id, "-a", str(image), "What is it?")
    seen = parse_answer_json(easyllm.run(*words, env=FULL))
    assert seen["profile"] == "mini"
    assert "takes no images" in seen["route"]["table"][1]["why"]
    # a model given by name is asked plainly
    named = easyllm.run("chat", "--json", "--conversation", id, "-m", "other", "hi", env=FULL).json
    assert (named["model"], named["route"]) == ("other", None)


def test_where_an_auto_profile_cannot_help(easyllm: Easyllm, pair: Pair) -> None:
    for words, part in {
        ("chat", "-m", "gpt-4o", "hi"): "chooses the model itself, and gpt-4o is named",
        ("chat", "-p", "auto:gpt-4o", "hi"): "chooses the model itself, and gpt-4o is named",
        ("chat", "-p", "mini", "--explain", "hi"): "--explain shows a choice, and profile mini",
        ("models",): "name one of its candidates: -p mini, -p r1",
        ("compare", "-p", "auto", "-p", "mini", "hi"): (
            "compare takes no auto profile, and auto only chooses among others"
        ),
        ("batch", "absent.jsonl", "out.jsonl"): "auto only chooses among others",
    }.items():
        ran = easyllm.run(*words)
        assert (ran.code, ran.stdout) == (2, b"")
        assert part in ran.error_line
    fallback = profile_toml(pair.mini, name="plain", fallback=["auto"])
    pair.easyllm.write_profiles(pair.easyllm.config.read_text() + fallback)
    ran = easyllm.run("chat", "-p", "plain", "hi")
    assert ran.code == 2
    assert 'fallback "auto" is an auto profile' in ran.error_line
    assert pair.counts == (0, 0)


def test_nobody_is_left_is_3_with_the_table(easyllm: Easyllm) -> None:
    keyless = {"provider": "openai", "model": "m"}
    text = AUTO + "".join(
        f"[profiles.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in keyless.items())
        for name in ("mini", "r1")
    )
    ran = easyllm.run("chat", "hi", profiles=text)
    assert (ran.code, ran.stdout) == (3, b"")
    *table, last = ran.stderr.splitlines()
    assert "none of the candidates can be asked (profile auto): mini: no key for openai" in last
    assert len([line for line in table if " never " in line]) == 2
    failed = parse_answer_json(easyllm.run("chat", "-q", "--json", "hi"))
    assert (failed["error"]["kind"], failed["error"]["exit_code"]) == ("auth", 3)
    doctor = easyllm.run("doctor")
    assert doctor.code == 3
    assert "mini: no key for openai" in doctor.stdout.decode()


def test_doctor_profiles_and_completion_know_it(easyllm: Easyllm, pair: Pair) -> None:
    doctor = easyllm.run("doctor")
    assert doctor.code == 0
    lines = doctor.stdout.decode().splitlines()
    assert lines[1].endswith("auto: auto, order, of mini, r1")
    assert "mini can be asked: easyllm doctor -p mini asks its server" in lines[2]
    shown = json.loads(easyllm.run("profiles", "show", "auto", "--json").stdout)
    values = {each["key"]: each["value"] for each in shown["values"]}
    assert values["candidates"] == ["mini", "r1"]
    assert values["strong.code"] == "r1"
    assert "key" not in values
    pair.write('escalate = ["schema"]\n')
    assert easyllm.run("profiles", "set", "auto", "prefer", "cheap").code == 0
    assert easyllm.run("profiles", "set", "auto", "strong.math", "r1").code == 0
    assert easyllm.run("profiles", "set", "auto", "strong.math", "absent").code == 2
    assert 'math = "r1"' in easyllm.config.read_text()
    removed = easyllm.run("profiles", "remove", "mini")
    assert removed.code == 2
    assert 'candidates names "mini", which does not exist' in removed.stderr
    easyllm.write_profiles(AUTO.replace('"r1"', '"r2"') + profile_toml(pair.mini, name="mini"))
    listing = json.loads(easyllm.run("profiles", "--json").stdout)["profiles"]
    assert 'candidates names "r2"' in listing[0]["problem"]
    line = {"_EASYLLM_COMPLETE": "complete_bash", "_EASYLLM_LINE": "easyllm chat -p au"}
    assert easyllm.run(env={**line, "_EASYLLM_WORD": "au"}).stdout == b"auto\n"


def test_stream_shows_text_at_once_and_does_not_escalate(easyllm: Easyllm) -> None:
    cut = Script(chunk("Hel"))
    with (
        StandIn(script_handler(cut, cut)) as mini,
        StandIn(script_handler(R1)) as r1,
    ):
        pair = Pair(easyllm, mini, r1)
        pair.write()
        ran = easyllm.run("stream", "hi")
        assert (ran.code, ran.stdout) == (7, b"Hel\n")
        assert pair.counts == (1, 0)
        whole = easyllm.run("chat", "hi")
        assert (whole.code, whole.stdout) == (0, b"From r1.\n")


def test_models_keeps_what_the_server_says_of_them(
    easyllm: Easyllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn(OpenRouterServer().handle) as server:
        profiles = profile_toml(server, "openrouter", name="r1")
        assert easyllm.run("models", "-p", "r1", profiles=profiles).code == 0
        monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
        assert not load_model_facts("r1", f"{server.url}/api/v1")  # ids alone were asked for
        listed = easyllm.run("models", "-p", "r1", "--json").json["models"]
        facts = load_model_facts("r1", f"{server.url}/api/v1")
    said = {
        model["id"]: {
            key: model[key]
            for key in ("context", "vision", "reasoning")
            if model[key] is not None and model.get(f"{key}_source", "server") == "server"
        }
        for model in listed
    }
    assert facts == {name: each for name, each in said.items() if each}
    assert any("vision" in each for each in facts.values())
