"""Options of a run: code blocks, retries, notes, limits, fallbacks."""

from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    profile_toml,
    single_profile_toml,
)
from tests.support.standins.script import DONE, Cut, Script, chunk, script_handler, usage_chunk
from tests.support.standins.server import Handler, Reply, Request, StandIn

OK = script_handler(chat_answer_script("ok"))
BUSY = Script(b'{"error": {"message": "full"}}', status=503, content_type="application/json")
FENCED = "Here:\n\n```python\nprint(1)\n```\n\nand\n\n~~~~\nb\n```\n~~~~\nbye"


def run_against(easyllm: Easyllm, *args: str, handler: Handler = OK, **keys: Any) -> RunResult:
    """Run a command against a server with this handler; `args` begin with the command."""
    with StandIn(handler) as server:
        return easyllm.run(*args, profiles=single_profile_toml(server, **keys))


@pytest.mark.parametrize(
    ("option", "out"),
    [
        ("-x", "print(1)\n"),
        ("--code", "print(1)\n"),
        ("-x=first", "print(1)\n"),
        ("-x=all", "print(1)\nb\n```\n"),
        ("--code=all", "print(1)\nb\n```\n"),
    ],
)
@pytest.mark.parametrize("command", ["chat", "stream"])
def test_code(easyllm: Easyllm, command: str, option: str, out: str) -> None:
    ran = run_against(
        easyllm, command, option, "hi", handler=script_handler(chat_answer_script(FENCED))
    )
    assert (ran.code, ran.stdout.decode(), ran.stderr) == (0, out, "")


@pytest.mark.parametrize("text", ["ok", "```sh\n```\n", "```\n \n\n```\n~~~\n~~~"])
@pytest.mark.parametrize(
    "args", [("chat", "-x"), ("stream", "-x"), ("chat", "-x=all"), ("cot", "-x", "--json")]
)
def test_no_code(easyllm: Easyllm, args: tuple[str, ...], text: str) -> None:
    ran = run_against(easyllm, *args, "hi", handler=script_handler(chat_answer_script(text)))
    assert ran.code == 7
    assert ran.stdout == b"" or not ran.json["ok"]
    assert "code block" in ran.error_line


def test_code_with_extract(easyllm: Easyllm) -> None:
    ran = easyllm.run("cot", "--extract", "-x", stdin=b"<think>a</think>```\n```\n")
    assert (ran.code, ran.stdout) == (7, b"")
    ran = easyllm.run("cot", "--extract", "-x", stdin=b"[THINK]a[/THINK]So: ```sh\nls\n```\n")
    assert (ran.code, ran.stdout) == (0, b"ls\n")


def test_word_after_x_is_the_prompt(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("```\nx\n```"))) as server:
        ran = easyllm.run("chat", "-x", "all", profiles=single_profile_toml(server))
        assert (ran.code, ran.stdout) == (0, b"x\n")
        assert server.requests[0].json["messages"][-1]["content"] == "all"


def test_strict(easyllm: Easyllm) -> None:
    cut = script_handler(chat_answer_script("Hel", finish="length"))
    args = ("--max-tokens", "1", "hi")
    assert run_against(easyllm, "chat", *args, handler=cut).code == 0
    assert run_against(easyllm, "chat", "--strict", *args, handler=cut).code == 7
    assert run_against(easyllm, "chat", *args, handler=cut, strict=True).code == 7


def test_fault_07_no_retry(easyllm: Easyllm) -> None:
    with StandIn(script_handler(BUSY)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server))
        assert (ran.code, len(server.requests)) == (5, 1)
    assert ran.error_line


def test_retries_are_announced(easyllm: Easyllm) -> None:
    busy = script_handler(BUSY, BUSY, chat_answer_script("ok"))
    ran = run_against(easyllm, "chat", "hi", handler=busy)
    assert (ran.code, ran.stdout) == (0, b"ok\n")
    lines = ran.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("easyllm: full") for line in lines)
    assert "503" in lines[0]
    assert "try 2" in lines[0]
    assert "try 3" in lines[1]


def test_quiet(easyllm: Easyllm) -> None:
    """Notes, retries and usage are hidden, errors are not."""
    ran = run_against(
        easyllm,
        "chat",
        "-q",
        "-u",
        "-v",
        "hi",
        handler=script_handler(BUSY, chat_answer_script("ok")),
    )
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"ok\n", "")
    assert run_against(
        easyllm, "chat", "-q", "hi", handler=script_handler(BUSY), max_retries=1
    ).error_line


def test_verbose(easyllm: Easyllm) -> None:
    line = run_against(easyllm, "chat", "-v", "hi").error_line
    for word in ("test-model", "openai", "profile t"):
        assert word in line


def test_debug(easyllm: Easyllm) -> None:
    """It prints a traceback, and never a key."""

    async def refuse(request: Request, reply: Reply) -> None:
        await reply.json({"error": {"message": request.headers["authorization"]}}, 400)

    with StandIn(refuse) as server:
        text = single_profile_toml(server, api_key_env="KEY")
        ran = easyllm.run("chat", "--debug", "hi", profiles=text, env={"KEY": "sk-very-secret"})
    assert ran.code == 4
    assert "Traceback" in ran.stderr
    assert "sk-very-secret" not in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("easyllm: ")


@pytest.mark.parametrize("command", ["chat", "cot"])
def test_stream_option_works_for_every_command(easyllm: Easyllm, command: str) -> None:
    cut = script_handler(Script(chunk("Hel"), Cut()))
    ran = run_against(easyllm, command, "--stream", "hi", handler=cut)
    assert (ran.code, ran.stdout) == (7, b"Hel\n"), (
        "the text was printed as it arrived, as by `stream`"
    )


def test_messages_need_no_prompt(easyllm: Easyllm) -> None:
    (easyllm.home / "list.json").write_text('[{"role": "user", "content": "One"}]')
    assert run_against(easyllm, "chat", "--messages", "list.json").code == 0


@pytest.mark.parametrize("first", ["busy", "refused", "cut"])
def test_fallback(easyllm: Easyllm, first: str) -> None:
    """Used after exit codes 5 and 6, and after 7 if nothing was shown; the answer names it."""
    scripts = {"busy": BUSY, "cut": Script(chunk("Hel"), Cut()), "refused": BUSY}
    with StandIn(script_handler(scripts[first])) as bad, StandIn(OK) as good:
        url = "http://127.0.0.1:9/v1" if first == "refused" else f"{bad.url}/v1"
        text = single_profile_toml(url, max_retries=0, fallback=["spare:mx"]) + profile_toml(
            good, name="spare"
        )
        ran = easyllm.run("chat", "--json", "hi", profiles=text)
        answer = ran.json
        assert (ran.code, answer["text"]) == (0, "ok")
        assert (answer["profile"], answer["model"], answer["attempts"]) == ("spare", "mx", 2)
        assert "asking profile spare" in ran.error_line
        shown = easyllm.run("stream", "hi", profiles=text)
    if first == "cut":
        assert (shown.code, shown.stdout) == (7, b"Hel\n"), "no fallback after shown text"
    else:
        assert (shown.code, shown.stdout) == (0, b"ok\n")


@pytest.mark.parametrize("status", [400, 401])
def test_no_fallback_after_a_client_error(easyllm: Easyllm, status: int) -> None:
    refused = Script(b"{}", status=status, content_type="application/json")
    with StandIn(script_handler(refused)) as bad, StandIn(OK) as good:
        text = single_profile_toml(bad, fallback=["spare"]) + profile_toml(good, name="spare")
        assert easyllm.run("chat", "hi", profiles=text).code == {400: 4, 401: 3}[status]
        assert not good.requests


def test_last_fallback_fails_too(easyllm: Easyllm) -> None:
    with StandIn(script_handler(BUSY)) as bad, StandIn(script_handler(Script(Cut()))) as worse:
        text = single_profile_toml(bad, max_retries=0, fallback=["spare"])
        text += profile_toml(worse, name="spare", max_retries=0)
        ran = easyllm.run("chat", "hi", profiles=text)
    assert ran.code == 6
    assert "profile spare" in ran.stderr.splitlines()[-1]


def test_server_that_refuses_a_parameter(easyllm: Easyllm) -> None:
    """A parameter that a 400 names is left out once, with a note; --strict makes it an error."""
    refusal = Script(
        b'{"error": {"message": "Unsupported parameter: \'top_k\'"}}',
        status=400, content_type="application/json",
    )  # fmt: skip
    with StandIn(script_handler(refusal, chat_answer_script("ok"))) as server:
        ran = easyllm.run("chat", "--top-k", "3", "hi", profiles=single_profile_toml(server))
        assert (ran.code, ran.stdout) == (0, b"ok\n")
        assert "top_k" in ran.error_line
        assert ["top_k" in request.json for request in server.requests] == [True, False]
    with StandIn(script_handler(refusal, chat_answer_script("ok"))) as server:
        ran = easyllm.run(
            "chat", "--strict", "--top-k", "3", "hi", profiles=single_profile_toml(server)
        )
        assert (ran.code, len(server.requests)) == (4, 1)


def test_send_defaults(easyllm: Easyllm) -> None:
    """They are sent if the profile says so, and left out if the server refuses them."""
    refusal = Script(b'{"error": {"message": "no"}}', status=400, content_type="application/json")
    with StandIn(script_handler(refusal, chat_answer_script("ok"))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server, send_defaults=True))
        assert (ran.code, ran.stderr) == (0, "")
        first, second = [request.json for request in server.requests]
        assert (first["temperature"], first["max_tokens"], first["top_p"]) == (0.7, 8192, 0.9)
        assert not {"temperature", "max_tokens", "top_p"} & set(second)


def test_partial(easyllm: Easyllm) -> None:
    """It prints the partial answer; the exit code stays 7."""
    cut = script_handler(Script(chunk("Hel"), Cut()))
    ran = run_against(easyllm, "chat", "--partial", "--no-retry", "hi", handler=cut)
    assert (ran.code, ran.stdout) == (7, b"Hel\n")
    assert "md" not in ran.error_line


def test_usage(easyllm: Easyllm) -> None:
    counted = script_handler(
        Script(chunk("ok"), chunk(finish="stop"), usage_chunk(3, 5, reasoning_tokens=2), DONE)
    )
    ran = run_against(easyllm, "chat", "-u", "hi", handler=counted)
    assert (ran.code, ran.stdout) == (0, b"ok\n")
    for words in ("3 tokens in", "5 out (2 reasoning)", "first token"):
        assert words in ran.error_line
    assert "tokens" not in run_against(easyllm, "chat", "-u", "hi").error_line.replace(
        "first token", ""
    )
