"""Keys are redacted in a server's messages, at cuts, in notes and in headers."""

import pytest

from easyllm_cli.secret import LONG_KEY_CHARS
from tests.support.binary import Easyllm, chat_answer_script, profile_toml, single_profile_toml
from tests.support.standins.script import Script, compact, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-secretkey12345"
BUSY = f"the key {KEY} is busy: {KEY}"


def error_script(status: int, message: str) -> Script:
    error = {"message": message, "type": "some_error", "param": None, "code": None}
    return Script(compact({"error": error}), status=status, content_type="application/json")


def find_key_pieces(text: str, length: int = 8) -> list[str]:
    """Return the pieces of the key, `length` characters each, that the text holds."""
    pieces = (KEY[at : at + length] for at in range(len(KEY) - length + 1))
    return [piece for piece in pieces if piece in text]


@pytest.mark.parametrize("args", [(), ("-v",), ("--debug",), ("--json",), ("--jsonl",)], ids=str)
def test_key_in_a_retried_error(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    with StandIn(script_handler(error_script(503, BUSY), chat_answer_script("Hello"))) as server:
        ran = easyllm.run("chat", *args, "hi", profiles=single_profile_toml(server, api_key=KEY))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert ran.code == 0, ran.stderr
    assert not find_key_pieces(ran.stderr + ran.stdout.decode())
    assert "is busy" in ran.stderr
    if args == ("--jsonl",):
        (why,) = [event["why"] for event in ran.events if event["kind"] == "retrying"]
        assert "is busy" in why


@pytest.mark.parametrize("args", [(), ("--jsonl",)], ids=str)
def test_key_in_the_line_about_a_fallback(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    with (
        StandIn(script_handler(error_script(503, BUSY))) as busy,
        StandIn(script_handler(chat_answer_script("Hello"))) as ok,
    ):
        first = single_profile_toml(busy, max_retries=0, fallback=["second"], api_key=KEY)
        profiles = first + profile_toml(ok, name="second")
        ran = easyllm.run("chat", *args, "hi", profiles=profiles)
        assert "authorization" not in ok.requests[0].headers
    assert ran.code == 0, ran.stderr
    assert "second" in ran.stderr
    assert not find_key_pieces(ran.stderr + ran.stdout.decode())


@pytest.mark.parametrize("length", [270, 280, 285, 290, 295, 299])
def test_key_where_a_message_is_cut(easyllm: Easyllm, length: int) -> None:
    with StandIn(script_handler(error_script(401, f"{length * 'x'} {KEY}"))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server, api_key=KEY))
        json = easyllm.run("chat", "--json", "hi")
    assert (ran.code, json.code) == (3, 3)
    assert not find_key_pieces(ran.error_line)
    assert not find_key_pieces(json.stdout.decode() + json.stderr)


def test_headers_of_a_dry_run(easyllm: Easyllm) -> None:
    headers = {
        "Authorization": "Bearer sk-zzzzzz12345",
        '"api-key"': "abc12345",
        "X-Team": "search",
    }
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        ran = easyllm.run(
            "chat", "--dry-run", "hi", profiles=single_profile_toml(server, headers=headers)
        )
        assert not server.requests
    assert ran.code == 0, ran.stderr
    shown = {name.lower(): value for name, value in ran.json["headers"].items()}
    assert (shown["authorization"], shown["api-key"]) == ("***", "***")
    assert shown["x-team"] == "search"
    assert b"zzzzzz" not in ran.stdout
    assert b"abc12345" not in ran.stdout


def test_header_with_a_line_break(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = single_profile_toml(server, headers={"X-Token": "env:TOK"})
        ran = easyllm.run("chat", "hi", profiles=profiles, env={"TOK": f"{KEY}\nX-Evil: yes"})
        assert not server.requests
    assert (ran.code, ran.stdout) == (2, b"")
    assert not find_key_pieces(ran.error_line)


@pytest.mark.parametrize("key", ["ollama", "lm-studio", "openai"])
def test_dummy_key_does_not_redact_names(easyllm: Easyllm, key: str) -> None:
    """Users often set the server's own name as the key of a server that needs none."""
    ids = [f"{key}-community/x", f"{key}/llama3"]
    listing = compact(
        {"object": "list", "data": [{"id": model, "object": "model"} for model in ids]}
    )
    answer = Script(listing, content_type="application/json")
    with StandIn(script_handler(answer, answer, chat_answer_script("Hello"))) as server:
        profiles = profile_toml(server, name=key, api_key=key, model=ids[0])
        listed = easyllm.run("models", "-p", key, profiles=profiles)
        assert listed.stdout.decode().split() == ids, listed.stderr
        as_json = easyllm.run("models", "-p", key, "--json").json["models"]
        assert [model["id"] for model in as_json] == ids
        last = easyllm.run("chat", "-p", key, "--json", "hi").json
    assert (last["profile"], last["provider"], last["model"]) == (key, "openai", ids[0])


def test_provider_name_in_a_header_is_not_redacted(easyllm: Easyllm) -> None:
    headers = {"x-portkey-provider": "databricks", "x-portkey-api-key": KEY}
    with StandIn(
        script_handler(error_script(400, f"databricks has no such model: {KEY}"))
    ) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server, headers=headers))
    assert "databricks has no such model: ***" in ran.error_line


@pytest.mark.parametrize(
    ("login", "seen"),
    [
        ("team", True),
        (KEY[: LONG_KEY_CHARS - 1], True),
        (KEY[:LONG_KEY_CHARS], False),
        ("user:team", False),
    ],
)
def test_login_of_a_proxy_is_redacted(easyllm: Easyllm, login: str, seen: bool) -> None:
    """A password or a lone token is secret; a lone user name is not."""
    with StandIn(
        script_handler(error_script(400, f"no such model: {login.rpartition(':')[2]}"))
    ) as server:
        proxy = server.url.replace("://", f"://{login}@")
        profiles = single_profile_toml("http://models.example/v1", proxy=proxy)
        ran = easyllm.run("chat", "hi", profiles=profiles)
    assert ran.code == 4, ran.stderr
    assert ran.error_line.startswith(f"easyllm: no such model: {login if seen else '***'} ")
