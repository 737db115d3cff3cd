"""`easyllm doctor`: each failure of its list, its line, its fix, its exit code."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import Easyllm, RunResult, chat_answer_script, single_profile_toml
from tests.support.objects import parse_doctor_json
from tests.support.over_tls import serve_raw_bytes, serve_tls
from tests.support.servers.fixtures import RealServer
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.responses import ResponsesServer
from tests.support.standins.script import Cut, Script, Wait, chunk, script_handler
from tests.support.standins.server import Handler, StandIn, unreachable_server
from tests.support.terminal import run_on_terminals

KEY = "sk-test-0123456789abcdefghij"
ORDER = [
    "file", "profile", "key", "proxy", "name", "tls", "server", "access", "model", "vision",
    "reasoning", "call",
]  # fmt: skip
NOBODY = "http://127.0.0.1:9/v1"


def examined(easyllm: Easyllm, *args: str, **more: Any) -> tuple[RunResult, dict[str, Any]]:
    """The report as JSON, checked against the schema, by the names of its checks."""
    ran = easyllm.run("doctor", "--json", *args, **more)
    made = parse_doctor_json(ran)
    names = [one["name"] for one in made["checks"]]
    assert names == ORDER[: 12 if "--call" in args else 11]
    assert KEY not in ran.stdout.decode() + ran.stderr
    return ran, {one["name"]: one for one in made["checks"]}


def fails(easyllm: Easyllm, name: str, code: int, *args: str, **more: Any) -> dict[str, Any]:
    """The one check that fails, with the exit code; those after it are not checked."""
    ran, checks = examined(easyllm, *args, **more)
    wrong = [one for one in checks.values() if one["ok"] is False]
    assert [one["name"] for one in wrong] == [name], ran.stderr
    assert ran.code == code
    behind = [one for one in checks.values() if ORDER.index(one["name"]) > ORDER.index(name)]
    assert all((one["ok"], one["message"]) == (None, "not checked") for one in behind)
    found: dict[str, Any] = wrong[0]
    return found


def test_all_is_well(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer(key=KEY, reasoning="Hm.").handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o", api_key_env="MY_KEY")
        ran = easyllm.run("doctor", "--call", profiles=profiles, env={"MY_KEY": KEY})
        address = server.url.removeprefix("http://")
    lines = ran.stdout.decode().splitlines()
    assert (ran.code, ran.stderr) == (0, "")
    assert [line.split()[1] for line in lines] == ORDER
    assert lines[:3] == [
        f"ok   file      {easyllm.config}, mode 0600",
        f"ok   profile   t: openai at http://{address}/v1",
        "ok   key       MY_KEY (…ghij)",
    ]
    assert lines[3:11] == [
        "--   proxy     not used",
        "--   name      skipped (127.0.0.1 is an IP address)",
        "--   tls       skipped (http)",
        f"ok   server    {address} answers",
        "ok   access    the key is accepted",
        "ok   model     gpt-4o",
        "--   vision    the server does not say",
        "--   reasoning the server does not say",
    ]
    assert lines[11].startswith("ok   call      first token after 0.")
    (asked,) = [one for one in server.requests if one.method == "POST"]
    assert asked.json["max_tokens"] == 1


def test_a_short_key_is_not_shown(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer(key="k-1234567890").handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o", api_key="k-1234567890")
        _, checks = examined(easyllm, profiles=profiles)
    assert checks["key"]["message"] == "api_key"


def test_responses_gets_the_least_that_it_takes(easyllm: Easyllm) -> None:
    with StandIn(ResponsesServer(models=("gpt-4o",)).handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o", api="responses")
        ran, _ = examined(easyllm, "--call", profiles=profiles)
        (asked,) = [one for one in server.requests if one.method == "POST"]
    assert (ran.code, asked.json["max_output_tokens"]) == (0, 16)


def test_the_time_to_the_first_token(easyllm: Easyllm) -> None:
    async def slow(request: Request, reply: Reply) -> None:
        if request.method == "POST":
            await Script(Wait(0.3), *chat_answer_script("Hi").steps).play(reply)
        else:
            await reply.json({"data": [{"id": "test-model"}]})

    with StandIn(slow) as server:
        _, checks = examined(easyllm, "--call", profiles=single_profile_toml(server))
    assert 300 <= checks["call"]["ms_first_token"] < 20_000


def test_a_model_that_spends_its_token_on_thinking_has_answered(easyllm: Easyllm) -> None:
    thought = Script(
        chunk(reasoning="Hm"), chunk(finish="length"), *chat_answer_script().steps[-1:]
    )
    with StandIn(listing(thought)) as server:
        ran, _ = examined(easyllm, "--call", profiles=single_profile_toml(server))
    assert ran.code == 0


def listing(*answers: Script) -> Handler:
    """Lists `test-model`, and answers so."""
    answering = script_handler(*answers)

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"data": [{"id": "test-model"}]})
        else:
            await answering(request, reply)

    return handle


def test_no_file_is_needed(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        ran, checks = examined(easyllm, "-p", "ollama", env={"OLLAMA_HOST": server.url})
    assert ran.code == 0
    assert checks["file"]["ok"] is None
    assert str(easyllm.config) in checks["file"]["message"]
    assert checks["model"]["message"].startswith("llama3.2:latest: the first one installed")


def test_missing_file(easyllm: Easyllm) -> None:
    found = fails(easyllm, "file", 2, "--profiles", "/no/such.toml")
    assert found["message"] == "no such profiles file (/no/such.toml)"


def test_file_that_is_no_toml(easyllm: Easyllm) -> None:
    found = fails(easyllm, "file", 2, profiles="[profiles.a\n")
    assert f"{easyllm.config}:1:12" in found["message"]


def test_open_file_with_a_key(easyllm: Easyllm) -> None:
    easyllm.write_profiles(single_profile_toml(NOBODY, api_key=KEY), mode=0o644)
    found = fails(easyllm, "profile", 2)
    assert found["hint"] == f"chmod 600 {easyllm.config}"
    assert "mode 0644" in easyllm.run("doctor").stdout.decode()


def test_invalid_profile(easyllm: Easyllm) -> None:
    found = fails(easyllm, "profile", 2, profiles=single_profile_toml(NOBODY, temprature=1))
    assert 'unknown key "temprature"' in found["message"]
    assert found["hint"] == 'did you mean "temperature"?'


def test_no_profile_is_chosen(easyllm: Easyllm) -> None:
    hint = fails(easyllm, "profile", 2)["hint"]
    assert "-p" in hint
    assert "easyllm pull" in hint


def test_no_key(easyllm: Easyllm) -> None:
    found = fails(easyllm, "key", 3, profiles=single_profile_toml(NOBODY, api_key_env="MY_KEY"))
    assert found["message"] == "MY_KEY is not set"
    assert found["hint"] == "export MY_KEY=your-key"


def test_unresolvable_host(easyllm: Easyllm) -> None:
    found = fails(easyllm, "name", 6, profiles=single_profile_toml("http://models.invalid/v1"))
    assert "models.invalid" in found["message"]


@pytest.mark.parametrize("transport", ["http", "sdk"])
@pytest.mark.parametrize(
    ("proxy", "code", "says"),
    [
        ("http://127.0.0.1:9", 6, "through the proxy 127.0.0.1:9"),
        ("http://proxy.invalid:1", 6, "no such host: proxy.invalid:1"),
        ("nonsense", 2, "the proxy cannot be used"),
        ("http://[::1", 2, "the proxy cannot be used"),
    ],
)
def test_bad_proxy(easyllm: Easyllm, proxy: str, code: int, says: str, transport: str) -> None:
    profiles = single_profile_toml("http://far.invalid/v1", proxy=proxy, transport=transport)
    found = fails(easyllm, "proxy", code, profiles=profiles)
    assert says in found["message"]


def test_a_good_proxy(easyllm: Easyllm) -> None:
    """It looks the server's name up; a stand-in answers in the server's place."""
    with StandIn(script_handler(Script(b'{"data": [{"id": "test-model"}]}'))) as server:
        profiles = single_profile_toml("http://far.invalid/v1", proxy=server.url)
        ran, checks = examined(easyllm, profiles=profiles)
        assert checks["proxy"]["message"] == server.url.removeprefix("http://")
    assert ran.code == 0
    assert checks["name"]["ok"] is None


class Models(BaseHTTPRequestHandler):
    """Lists `test-model` to everyone."""

    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "test-model"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_untrusted_tls(easyllm: Easyllm, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    with serve_tls(Models, authority, "localhost") as url:
        found = fails(easyllm, "tls", 6, profiles=single_profile_toml(f"{url}/v1"))
        assert "is not trusted" in found["message"]
        assert "ca_bundle" in found["hint"]
        ran, checks = examined(
            easyllm, profiles=single_profile_toml(f"{url}/v1", ca_bundle=str(authority))
        )
        assert ran.code == 0
        assert checks["tls"]["message"] == "the certificate of localhost is trusted"
        assert checks["name"]["message"] == "localhost resolves"
        fails(
            easyllm, "tls", 2, profiles=single_profile_toml(f"{url}/v1", ca_bundle="/no/such.pem")
        )


def test_nothing_listens(easyllm: Easyllm) -> None:
    with unreachable_server() as server:
        found = fails(easyllm, "server", 6, profiles=single_profile_toml(server.url, "ollama"))
    assert found["message"] == f"nothing listens at {server.url.removeprefix('http://')}"
    assert "ollama serve" in found["hint"]


def test_a_server_that_hangs_up_has_shown_no_certificate(easyllm: Easyllm) -> None:
    with serve_raw_bytes(b"") as port:
        _, checks = examined(easyllm, profiles=single_profile_toml(f"https://127.0.0.1:{port}/v1"))
    assert checks["tls"]["ok"] is False


def test_a_web_page(easyllm: Easyllm) -> None:
    page = Script(b"<html><title>Login</title>", content_type="text/html")
    with StandIn(script_handler(page)) as server:
        found = fails(easyllm, "server", 7, profiles=single_profile_toml(server.url))
    assert "web page" in found["message"]
    assert "/v1" in found["hint"]


def test_wrong_path(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        found = fails(easyllm, "server", 4, profiles=single_profile_toml(f"{server.url}/api"))
    assert "/v1" in found["hint"]


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_refused_key(easyllm: Easyllm, provider: str) -> None:
    """OpenRouter's model list needs no key, so another address is asked."""
    made = {"openai": OpenAIServer, "openrouter": OpenRouterServer}[provider]
    with StandIn(made(key="another").handle) as server:
        profiles = single_profile_toml(server, provider, api_key_env="MY_KEY")
        found = fails(easyllm, "access", 3, profiles=profiles, env={"MY_KEY": KEY})
    assert "(HTTP 401)" in found["message"]
    assert found["hint"] == "check the key from MY_KEY"


def test_unknown_model(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        found = fails(easyllm, "model", 4, profiles=single_profile_toml(server, model="gpt-4"))
        assert found["message"] == 'the server offers no model "gpt-4"'
        assert '"gpt-4o"' in found["hint"]
        fails(easyllm, "model", 4, "-m", "other", profiles=single_profile_toml(server))
    with StandIn(OllamaServer().handle) as server:
        found = fails(
            easyllm, "model", 4, profiles=single_profile_toml(server, "ollama", model="x9")
        )
        assert found["hint"] == "ollama pull x9"


def test_no_model(easyllm: Easyllm) -> None:
    profiles = single_profile_toml("http://far.invalid/v1", model=None, proxy="http://127.0.0.1:9")
    with StandIn(OpenAIServer().handle) as server:
        profiles = profiles.replace("http://127.0.0.1:9", server.url)
        found = fails(easyllm, "model", 2, profiles=profiles)
    assert "easyllm models -p t" in found["hint"]


def test_a_gemini_model(easyllm: Easyllm) -> None:
    with StandIn(GeminiServer().handle) as server:
        keys = {"model": "models/gemini-2.5-pro", "api_key": "test-key"}
        ran, checks = examined(
            easyllm, "--call", profiles=single_profile_toml(server, "gemini", **keys)
        )
    assert ran.code == 0
    assert checks["reasoning"]["message"] == "yes"


def test_blind_model(easyllm: Easyllm) -> None:
    """Known is well: not every question has a picture."""
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="qwen3")
        ran, checks = examined(easyllm, profiles=profiles)
        _, seeing = examined(easyllm, "-m", "llava", profiles=profiles)
    assert ran.code == 0
    assert checks["vision"]["message"] == "no: the model qwen3 takes no images"
    assert checks["vision"]["hint"] == "installed models that take images: llava:latest"
    assert checks["reasoning"]["message"] == "yes"
    assert (seeing["vision"]["message"], seeing["reasoning"]["message"]) == ("yes", "no")


def test_a_call_that_is_cut(easyllm: Easyllm) -> None:
    with StandIn(listing(Script(chunk("Hel"), Cut()))) as server:
        found = fails(easyllm, "call", 7, "--call", profiles=single_profile_toml(server))
        assert len([one for one in server.requests if one.method == "POST"]) == 1
    assert "cut" in found["message"]


def test_the_command_has_a_deadline(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(Wait(20)))) as server:
        ran = easyllm.run("doctor", "--timeout", "0.5", profiles=single_profile_toml(server))
    assert ran.code == 6
    assert ran.stderr.startswith("easyllm: ")
    assert "--timeout" in ran.stderr


def test_usage_error_has_the_same_shape(easyllm: Easyllm) -> None:
    made = parse_doctor_json(easyllm.run("doctor", "--json", "--nonsense"))
    assert (made["checks"], made["error"]["kind"]) == ([], "usage")


def test_a_server_cannot_forge_a_line(easyllm: Easyllm) -> None:
    words = json.dumps({"error": {"message": "no\nok   key  \x1b[2J"}}).encode()
    script = Script(words, status=401, content_type="application/json")
    with StandIn(script_handler(script)) as server:
        ran = easyllm.run("doctor", profiles=single_profile_toml(server))
        code, screen, err = run_on_terminals(
            easyllm, "doctor", profiles=single_profile_toml(server)
        )
    assert (ran.code, code, err) == (3, 3, "")
    assert len(ran.stdout.splitlines()) == len(screen.splitlines()) == 8
    assert "\x1b" not in screen


def test_a_real_server(easyllm: Easyllm, smol: RealServer, ollama: RealServer) -> None:
    profiles = single_profile_toml(f"{smol.url}/v1", "llamacpp", model="whatever")
    ran, checks = examined(easyllm, "--call", profiles=profiles)
    assert ran.code == 0
    assert checks["call"]["ms_first_token"] > 0
    profiles = single_profile_toml(ollama.url, "ollama", model=ollama.model)
    assert examined(easyllm, "--call", profiles=profiles)[0].code == 0
