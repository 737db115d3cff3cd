"""Where reasoning is shown: never on stdout unless an option selects it."""

from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    run_concurrently,
    single_profile_toml,
)
from tests.support.servers.fixtures import RealServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.script import DONE, Script, Wait, chunk, script_handler
from tests.support.standins.server import Handler, StandIn

COMMANDS = pytest.mark.parametrize("command", ["chat", "stream", "cot"])
FIELD = Script(chunk(reasoning="Let me\n"), chunk(reasoning="think."), chunk("The "),
               chunk("answer"), chunk(finish="stop"), DONE)  # fmt: skip
INLINE = chat_answer_script("<think>Let me\n", "think.</th", "ink>\n\nThe ", "answer")
BOTH_SHAPES = pytest.mark.parametrize("script", [FIELD, INLINE], ids=["field", "inline"])


def run_ok(easyllm: Easyllm, *args: str, handler: Handler, **keys: Any) -> RunResult:
    """Run without errors."""
    with StandIn(handler) as server:
        ran = easyllm.with_new_home().run(*args, "hi", profiles=single_profile_toml(server, **keys))
        assert ran.code == 0, ran.stderr
        return ran


def run_all(easyllm: Easyllm, *args: str, handler: Handler) -> list[RunResult]:
    """Run `chat`, `stream` and `cot` at the same time with the same prompt."""
    return run_concurrently(*[
        lambda command=command: run_ok(easyllm, command, *args, handler=handler)
        for command in ("chat", "stream", "cot")
    ])  # fmt: skip


@BOTH_SHAPES
def test_reasoning_into_pipes(easyllm: Easyllm, script: Script) -> None:
    """With `auto` only `cot` shows reasoning, on stderr; stdout holds the answer alone."""
    rans = run_all(easyllm, handler=script_handler(script))
    assert {ran.stdout for ran in rans} == {b"The answer\n"}
    assert [ran.stderr for ran in rans] == ["", "", "Let me\nthink.\n"]


@pytest.mark.parametrize(
    ("args", "out", "err"),
    [
        (("--reasoning", "auto"), "The answer\n", ""),
        (("--reasoning", "show"), "The answer\n", "Let me\nthink.\n"),
        (("--reasoning", "hide"), "The answer\n", ""),
        (("-R",), "The answer\n", ""),
        (("--reasoning", "only"), "Let me\nthink.\n", ""),
        (("--reasoning", "tags"), "<think>Let me\nthink.</think>\n\nThe answer\n", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_every_reasoning_mode(easyllm: Easyllm, args: tuple[str, ...], out: str, err: str) -> None:
    for ran in run_all(easyllm, *args, handler=script_handler(FIELD)):
        assert (ran.stdout.decode(), ran.stderr) == (out, err)


@pytest.mark.parametrize("mode", ["auto", "show", "hide", "tags"])
def test_no_reasoning_came(easyllm: Easyllm, mode: str) -> None:
    for ran in run_all(
        easyllm, "--reasoning", mode, handler=script_handler(chat_answer_script("Hi"))
    ):
        assert (ran.stdout, ran.stderr) == (b"Hi\n", "")


@COMMANDS
def test_only_fails_without_reasoning(easyllm: Easyllm, command: str) -> None:
    with StandIn(script_handler(chat_answer_script("Hi"))) as server:
        ran = easyllm.run(
            command, "--reasoning", "only", "hi", profiles=single_profile_toml(server)
        )
    assert (ran.code, ran.stdout) == (7, b"")
    assert "no reasoning" in ran.stderr


def test_reasoning_in_json(easyllm: Easyllm) -> None:
    for ran in run_all(easyllm, "--json", handler=script_handler(INLINE)):
        assert (ran.json["reasoning"], ran.json["text"]) == ("Let me\nthink.", "The answer")


def test_reasoning_is_streamed_before_the_answer(easyllm: Easyllm) -> None:
    """`stream --reasoning show` does not wait for the answer."""
    script = Script(chunk(reasoning="Let me think"), Wait(30))
    with StandIn(script_handler(script)) as server:
        args = ("stream", "--reasoning", "show", "hi")
        with easyllm.start(*args, profiles=single_profile_toml(server)) as child:
            assert child.stderr is not None
            assert child.stderr.read(12) == b"Let me think"
            child.kill()


@pytest.mark.parametrize(
    ("text", "out", "err"),
    [
        ("<think>a b</think>\n\nThe answer\n", "The answer\n", "a b\n"),
        ("a b</think>The answer", "The answer\n", "a b\n"),
        ("<seed:think>x</seed:think>y", "y\n", "x\n"),
        ("no tags at all", "no tags at all\n", ""),
        ("text <think>quoted</think>", "text <think>quoted</think>\n", ""),
    ],
)
def test_extract(easyllm: Easyllm, text: str, out: str, err: str) -> None:
    """It sends no request and needs no profile; it also splits what `--reasoning tags` prints."""
    ran = easyllm.run("cot", "--extract", stdin=text)
    assert (ran.code, ran.stdout.decode(), ran.stderr) == (0, out, err)


def test_extract_in_other_forms(easyllm: Easyllm) -> None:
    text = "<think>a</think>\n\nb"
    answer = easyllm.run("cot", "--extract", "--json", stdin=text).json
    assert (answer["ok"], answer["reasoning"], answer["text"]) == (True, "a", "b")
    alone = easyllm.run("cot", "--extract", "--reasoning", "only", stdin=text)
    assert alone.stdout == b"a\n"
    for args, stdin, code in [
        (("--extract",), "", 2), (("--extract", "prompt"), "x", 2),
        (("--extract",), "<think>only</think>", 7), (("--extract",), "<think>open", 7),
    ]:  # fmt: skip
        ran = easyllm.run("cot", *args, stdin=stdin)
        assert (ran.code, ran.stdout) == (code, b""), stdin


@pytest.mark.parametrize("command", ["cot", "chat"])
def test_hidden_reasoning_is_reported(easyllm: Easyllm, command: str) -> None:
    """The provider encrypts it, so `cot` can only say that there is some."""
    with StandIn(OpenRouterServer().handle) as server:
        text = single_profile_toml(
            server, "openrouter", model="vendor/encrypted", api_key_env="KEY"
        )
        ran = easyllm.run(command, "hi", profiles=text, env={"KEY": "k-12345"})
    assert ran.code == 0
    assert ran.stdout.startswith(b"Hello from vendor/encrypted")
    assert ("hidden" in ran.stderr) == (command == "cot")


def test_lone_closing_tag_in_a_stream(easyllm: Easyllm) -> None:
    """Reasoning was printed as text: 7, and the error names the setting that prevents it."""
    lone = script_handler(chat_answer_script("Let me think", "</think>\n\nHi"))
    with StandIn(lone) as server:
        ran = easyllm.run("stream", "hi", profiles=single_profile_toml(server))
        assert ran.code == 7
        assert 'reasoning_tags = "implicit"' in ran.error_line
        whole = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
        assert (whole.code, whole.stdout) == (0, b"Hi\n")
        implicit = easyllm.run(
            "stream", "hi", profiles=single_profile_toml(server, reasoning_tags="implicit")
        )
        assert (implicit.code, implicit.stdout) == (0, b"Hi\n")
        cot = easyllm.run("cot", "--stream", "hi", profiles=single_profile_toml(server))
        assert (cot.code, cot.stdout) == (0, b"Hi\n"), "held back until the closing tag"
        off = easyllm.run(
            "stream", "hi", profiles=single_profile_toml(server, reasoning_tags="off")
        )
        assert (off.code, off.stdout) == (0, b"Let me think</think>\n\nHi\n")


def test_implicit_without_a_closing_tag(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Let me think"))) as server:
        text = single_profile_toml(server, reasoning_tags="implicit")
        ran = easyllm.run("stream", "hi", profiles=text)
    assert (ran.code, ran.stdout) == (7, b"")


def test_ollama(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        ran = easyllm.run(
            "cot", "hi", profiles=single_profile_toml(server, "ollama", model="qwen3")
        )
    assert ran.stdout == b"Hello from qwen3: hi\n"
    assert ran.stderr == "Let me think about it.\n"


@pytest.mark.parametrize("kind", ["thinker", "inline_thinker"])
def test_real_model(easyllm: Easyllm, kind: str, request: pytest.FixtureRequest) -> None:
    """A real model's reasoning never reaches stdout, whether sent as a field or inline."""
    server: RealServer = request.getfixturevalue(kind)
    text = single_profile_toml(
        f"{server.url}/v1", "llamacpp", model=server.model, temperature=0, max_tokens=150
    )
    ran = easyllm.run("cot", "What is Python?", profiles=text)
    assert ran.code == 0, ran.stderr
    assert ran.stdout.strip()
    assert ran.stderr.strip()
    assert "think>" not in ran.stdout.decode() + ran.stderr
    if kind == "inline_thinker":
        answer = easyllm.run("stream", "--json", "What is Python?", profiles=text).json
        assert answer["reasoning"].strip()
        assert answer["text"].strip()
        assert "think>" not in answer["reasoning"] + answer["text"]
