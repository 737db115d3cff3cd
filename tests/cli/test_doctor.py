"""Tests `easyllm doctor`: for each check its failure, message, hint and exit code."""

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
from tests.support.terminal import SGR, run_on_terminals

KEY = "sk-test-0123456789abcdefghij"
ORDER = [
    "file", "profile", "key", "budget", "proxy", "name", "tls", "server", "access", "model",
    "vision", "reasoning", "call", "limits",
]  # fmt: skip
NOBODY = "http://127.0.0.1:9/v1"


def run_doctor(easyllm: Easyllm, *args: str, **more: Any) -> tuple[RunResult, dict[str, Any]]:
    """Runs `doctor --json`; returns the run and its checks by name, valid by the schema."""
    ran = easyllm.run("doctor", "--json", *args, **more)
    report = parse_doctor_json(ran)
    names = [check["name"] for check in report["checks"]]
    assert names == [name for name in ORDER if name != "call" or "--call" in args]
    assert KEY not in ran.stdout.decode() + ran.stderr
    return ran, {check["name"]: check for check in report["checks"]}


def failing_check(
    easyllm: Easyllm, name: str, code: int, *args: str, **more: Any
) -> dict[str, Any]:
    """The one check that fails, with the exit code; all later checks are "not checked"."""
    ran, checks = run_doctor(easyllm, *args, **more)
    failed = [check for check in checks.values() if check["ok"] is False]
    assert [check["name"] for check in failed] == [name], ran.stderr
    assert ran.code == code
    later = [check for check in checks.values() if ORDER.index(check["name"]) > ORDER.index(name)]
    assert all((check["ok"], check["message"]) == (None, "not checked") for check in later)
    check: dict[str, Any] = failed[0]
    return check


def test_every_check_passes(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer(key=KEY, reasoning="Hm.").handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o", api_key_env="MY_KEY")
        ran = easyllm.run("doctor", "--call", "-v", profiles=profiles, env={"MY_KEY": KEY})
        address = server.url.removeprefix("http://")
    lines = ran.stdout.decode().splitlines()
    assert (ran.code, ran.stderr) == (0, "")
    assert [line.split()[1].replace("dns", "name") for line in lines] == ORDER
    assert lines[:3] == [
        f"ok   file      {easyllm.config}, mode 0600",
        f"ok   profile   t: openai at http://{address}/v1",
        "ok   key       MY_KEY (…ghij)",
    ]
    assert lines[3:12] == [
        "--   budget    none set",
        "--   proxy     not used",
        "--   dns       skipped (IP address)",
        "--   tls       skipped (http)",
        f"ok   server    {address} answers",
        "ok   access    the key is accepted",
        "ok   model     gpt-4o",
        "--   vision    the server does not say",
        "--   reasoning the server does not say",
    ]
    assert lines[12].startswith("ok   call      first token after 0.")
    assert lines[13:] == ["--   limits    none set, none reported"]
    (request,) = [sent for sent in server.requests if sent.method == "POST"]
    assert request.json["max_tokens"] == 1


def test_limits_that_are_set_and_that_the_server_reports(easyllm: Easyllm) -> None:
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s", "x-ratelimit-limit-tokens": "150000",
    }  # fmt: skip

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"data": [{"id": "test-model"}]})
        else:
            await Script(*chat_answer_script("OK").steps, headers=headers).play(reply)

    with StandIn(handle) as server:
        profiles = single_profile_toml(server, rpm="auto", tpm=90_000, concurrency=2)
        unasked = easyllm.run("doctor", profiles=profiles)
        ran = easyllm.run("doctor", "--call")
    rest = "tpm = 90000, concurrency = 2"
    assert unasked.stdout.decode().splitlines()[-1] == (
        f"ok   limits    rpm = auto (nothing learned), {rest}"
    )
    assert ran.stdout.decode().splitlines()[-1] == (
        f"ok   limits    rpm = auto (60 learned), {rest}; "
        "the server reports 60 requests a minute (59 left), 150000 tokens"
    )


def test_lines_are_in_plain_words(easyllm: Easyllm) -> None:
    """What does not apply is left out, what the model lacks is no failure, in plain words."""
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="qwen3")
        ran = easyllm.run("doctor", profiles=profiles)
        verbose = easyllm.run("doctor", "-v", profiles=profiles)
        colored = easyllm.run("doctor", "--color", "always", profiles=profiles)
        seeing = easyllm.run("doctor", "-m", "llava", profiles=profiles)
    lines = ran.stdout.decode().splitlines()
    assert [line.split()[1] for line in lines] == [
        "file", "profile", "server", "access", "model", "vision", "reasoning",
    ]  # fmt: skip
    assert lines[-2:] == [
        "-    vision    this model cannot see images: installed models that take images: "
        "llava:latest",
        "ok   reasoning this model reasons",
    ]
    assert "--   key       not needed\n" in verbose.stdout.decode()
    assert seeing.stdout.decode().splitlines()[-2:] == [
        "ok   vision    this model can see images",
        "-    reasoning this model does not reason",
    ]
    assert colored.stdout.decode().startswith("\x1b[32mok\x1b[0m   file ")
    assert SGR.sub("", colored.stdout.decode()) == ran.stdout.decode()


@pytest.mark.parametrize(("columns", "indent"), [(80, 15), (40, 5)])
def test_rows_on_a_terminal(easyllm: Easyllm, columns: int, indent: int) -> None:
    with unreachable_server() as server:
        code, out, _ = run_on_terminals(
            easyllm, "doctor", profiles=single_profile_toml(server.url, "ollama"), columns=columns
        )
    assert code == 6
    failed = out.partition("\x1b[31mfail\x1b[0m server ")[2]
    head, *rows = failed.splitlines()
    assert rows
    assert all(row.startswith(" " * indent + row.strip()[0]) for row in rows)
    assert max(map(len, rows)) <= columns
    where = server.url.removeprefix("http://")
    assert " ".join(" ".join([head, *rows]).split()) == (
        f"nothing listens at {where}: is Ollama running? start it with: ollama serve"
    )


def test_a_short_key_is_not_shown(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer(key="k-1234567890").handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o", api_key="k-1234567890")
        _, checks = run_doctor(easyllm, profiles=profiles)
    assert checks["key"]["message"] == "api_key"


def test_call_asks_responses_for_its_minimum_of_16_tokens(easyllm: Easyllm) -> None:
    with StandIn(ResponsesServer(models=("gpt-4o",)).handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o", api="responses")
        ran, _ = run_doctor(easyllm, "--call", profiles=profiles)
        (request,) = [sent for sent in server.requests if sent.method == "POST"]
    assert (ran.code, request.json["max_output_tokens"]) == (0, 16)


def test_the_time_to_the_first_token(easyllm: Easyllm) -> None:
    async def slow(request: Request, reply: Reply) -> None:
        if request.method == "POST":
            await Script(Wait(0.3), *chat_answer_script("Hi").steps).play(reply)
        else:
            await reply.json({"data": [{"id": "test-model"}]})

    with StandIn(slow) as server:
        _, checks = run_doctor(easyllm, "--call", profiles=single_profile_toml(server))
    assert 300 <= checks["call"]["ms_first_token"] < 20_000


def test_call_passes_when_the_only_token_is_reasoning(easyllm: Easyllm) -> None:
    reasoning_only = Script(
        chunk(reasoning="Hm"), chunk(finish="length"), *chat_answer_script().steps[-1:]
    )
    with StandIn(listing(reasoning_only)) as server:
        ran, _ = run_doctor(easyllm, "--call", profiles=single_profile_toml(server))
    assert ran.code == 0


def listing(*answers: Script) -> Handler:
    """Lists `test-model`, and answers POST requests with the scripts."""
    answering = script_handler(*answers)

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"data": [{"id": "test-model"}]})
        else:
            await answering(request, reply)

    return handle


def test_no_profiles_file_is_needed(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        ran, checks = run_doctor(easyllm, "-p", "ollama", env={"OLLAMA_HOST": server.url})
    assert ran.code == 0
    assert checks["file"]["ok"] is None
    assert str(easyllm.config) in checks["file"]["message"]
    assert checks["model"]["message"].startswith("llama3.2:latest: the first one installed")


def test_missing_file(easyllm: Easyllm) -> None:
    check = failing_check(easyllm, "file", 2, "--profiles", "/no/such.toml")
    assert check["message"] == "no such profiles file (/no/such.toml)"


def test_invalid_toml_file(easyllm: Easyllm) -> None:
    check = failing_check(easyllm, "file", 2, profiles="[profiles.a\n")
    assert f"{easyllm.config}:1:12" in check["message"]


def test_a_file_with_a_key_that_others_can_read(easyllm: Easyllm) -> None:
    easyllm.write_profiles(single_profile_toml(NOBODY, api_key=KEY), mode=0o644)
    check = failing_check(easyllm, "profile", 2)
    assert check["hint"] == f"chmod 600 {easyllm.config}"
    assert "mode 0644" in easyllm.run("doctor").stdout.decode()


def test_invalid_profile(easyllm: Easyllm) -> None:
    check = failing_check(easyllm, "profile", 2, profiles=single_profile_toml(NOBODY, temprature=1))
    assert 'unknown key "temprature"' in check["message"]
    assert check["hint"] == 'did you mean "temperature"?'


def test_no_profile_is_chosen(easyllm: Easyllm) -> None:
    hint = failing_check(easyllm, "profile", 2)["hint"]
    assert "-p" in hint
    assert "easyllm pull" in hint


def test_no_key(easyllm: Easyllm) -> None:
    check = failing_check(
        easyllm, "key", 3, profiles=single_profile_toml(NOBODY, api_key_env="MY_KEY")
    )
    assert check["message"] == "MY_KEY is not set"
    assert check["hint"] == "export MY_KEY=your-key"


def test_unresolvable_host(easyllm: Easyllm) -> None:
    check = failing_check(
        easyllm, "name", 6, profiles=single_profile_toml("http://models.invalid/v1")
    )
    assert "models.invalid" in check["message"]


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
    check = failing_check(easyllm, "proxy", code, profiles=profiles)
    assert says in check["message"]


def test_a_good_proxy(easyllm: Easyllm) -> None:
    """The proxy resolves the server's name; a stand-in plays the proxy and the server."""
    with StandIn(script_handler(Script(b'{"data": [{"id": "test-model"}]}'))) as server:
        profiles = single_profile_toml("http://far.invalid/v1", proxy=server.url)
        ran, checks = run_doctor(easyllm, profiles=profiles)
        assert checks["proxy"]["message"] == server.url.removeprefix("http://")
    assert ran.code == 0
    assert checks["name"]["ok"] is None


class Models(BaseHTTPRequestHandler):
    """Lists `test-model`, with no key needed."""

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
        check = failing_check(easyllm, "tls", 6, profiles=single_profile_toml(f"{url}/v1"))
        assert "is not trusted" in check["message"]
        assert "ca_bundle" in check["hint"]
        ran, checks = run_doctor(
            easyllm, profiles=single_profile_toml(f"{url}/v1", ca_bundle=str(authority))
        )
        assert ran.code == 0
        assert checks["tls"]["message"] == "the certificate of localhost is trusted"
        assert checks["name"]["message"] == "localhost resolves"
        failing_check(
            easyllm, "tls", 2, profiles=single_profile_toml(f"{url}/v1", ca_bundle="/no/such.pem")
        )


def test_nothing_listens(easyllm: Easyllm) -> None:
    with unreachable_server() as server:
        check = failing_check(
            easyllm, "server", 6, profiles=single_profile_toml(server.url, "ollama")
        )
    assert check["message"] == f"nothing listens at {server.url.removeprefix('http://')}"
    assert "ollama serve" in check["hint"]


def test_tls_fails_when_the_server_hangs_up(easyllm: Easyllm) -> None:
    with serve_raw_bytes(b"") as port:
        _, checks = run_doctor(
            easyllm, profiles=single_profile_toml(f"https://127.0.0.1:{port}/v1")
        )
    assert checks["tls"]["ok"] is False


def test_a_web_page(easyllm: Easyllm) -> None:
    page = Script(b"<html><title>Login</title>", content_type="text/html")
    with StandIn(script_handler(page)) as server:
        check = failing_check(easyllm, "server", 7, profiles=single_profile_toml(server.url))
    assert "web page" in check["message"]
    assert "/v1" in check["hint"]


def test_wrong_path(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        check = failing_check(
            easyllm, "server", 4, profiles=single_profile_toml(f"{server.url}/api")
        )
    assert "/v1" in check["hint"]


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_refused_key(easyllm: Easyllm, provider: str) -> None:
    """OpenRouter's model list needs no key, so doctor asks another endpoint."""
    server_class = {"openai": OpenAIServer, "openrouter": OpenRouterServer}[provider]
    with StandIn(server_class(key="another").handle) as server:
        profiles = single_profile_toml(server, provider, api_key_env="MY_KEY")
        check = failing_check(easyllm, "access", 3, profiles=profiles, env={"MY_KEY": KEY})
    assert "(HTTP 401)" in check["message"]
    assert check["hint"] == "check the key from MY_KEY"


def test_unknown_model(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        check = failing_check(
            easyllm, "model", 4, profiles=single_profile_toml(server, model="gpt-4")
        )
        assert check["message"] == 'the server offers no model "gpt-4"'
        assert '"gpt-4o"' in check["hint"]
        failing_check(easyllm, "model", 4, "-m", "other", profiles=single_profile_toml(server))
    with StandIn(OllamaServer().handle) as server:
        check = failing_check(
            easyllm, "model", 4, profiles=single_profile_toml(server, "ollama", model="x9")
        )
        assert check["hint"] == "ollama pull x9"


def test_no_model(easyllm: Easyllm) -> None:
    profiles = single_profile_toml("http://far.invalid/v1", model=None, proxy="http://127.0.0.1:9")
    with StandIn(OpenAIServer().handle) as server:
        profiles = profiles.replace("http://127.0.0.1:9", server.url)
        check = failing_check(easyllm, "model", 2, profiles=profiles)
    assert "easyllm models -p t" in check["hint"]


def test_a_gemini_model(easyllm: Easyllm) -> None:
    with StandIn(GeminiServer().handle) as server:
        keys = {"model": "models/gemini-2.5-pro", "api_key": "test-key"}
        ran, checks = run_doctor(
            easyllm, "--call", profiles=single_profile_toml(server, "gemini", **keys)
        )
    assert ran.code == 0
    assert checks["reasoning"]["message"] == "yes"


def test_a_model_without_vision(easyllm: Easyllm) -> None:
    """A model without vision is no failure: not every prompt has an image."""
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="qwen3")
        ran, checks = run_doctor(easyllm, profiles=profiles)
        _, with_vision = run_doctor(easyllm, "-m", "llava", profiles=profiles)
    assert ran.code == 0
    assert checks["vision"]["message"] == "no: the model qwen3 takes no images"
    assert checks["vision"]["hint"] == "installed models that take images: llava:latest"
    assert checks["reasoning"]["message"] == "yes"
    assert (with_vision["vision"]["message"], with_vision["reasoning"]["message"]) == ("yes", "no")


def test_call_whose_answer_is_cut(easyllm: Easyllm) -> None:
    with StandIn(listing(Script(chunk("Hel"), Cut()))) as server:
        check = failing_check(easyllm, "call", 7, "--call", profiles=single_profile_toml(server))
        assert len([sent for sent in server.requests if sent.method == "POST"]) == 1
    assert "cut" in check["message"]


def test_timeout_of_the_command(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(Wait(20)))) as server:
        ran = easyllm.run("doctor", "--timeout", "0.5", profiles=single_profile_toml(server))
    assert ran.code == 6
    assert ran.stderr.startswith("easyllm: ")
    assert "--timeout" in ran.stderr


def test_usage_error_has_the_same_shape(easyllm: Easyllm) -> None:
    report = parse_doctor_json(easyllm.run("doctor", "--json", "--nonsense"))
    assert (report["checks"], report["error"]["kind"]) == ([], "usage")


def test_a_server_cannot_forge_a_line(easyllm: Easyllm) -> None:
    body = json.dumps({"error": {"message": "no\nok   key  \x1b[2J"}}).encode()
    script = Script(body, status=401, content_type="application/json")
    with StandIn(script_handler(script)) as server:
        ran = easyllm.run("doctor", profiles=single_profile_toml(server))
        code, screen, err = run_on_terminals(
            easyllm, "doctor", profiles=single_profile_toml(server)
        )
    assert (ran.code, code, err) == (3, 3, "")
    wanted = ["ok   file", "ok   profile", "ok   server", "fail access"]
    screen = SGR.sub("", screen)
    rows = [row for row in screen.splitlines() if not row.startswith(" ")]
    for lines in (ran.stdout.decode().splitlines(), rows):
        assert [line[:12].strip() for line in lines] == wanted
    assert "\x1b" not in screen


def test_a_real_server(easyllm: Easyllm, smol: RealServer, ollama: RealServer) -> None:
    profiles = single_profile_toml(f"{smol.url}/v1", "llamacpp", model="whatever")
    ran, checks = run_doctor(easyllm, "--call", profiles=profiles)
    assert ran.code == 0
    assert checks["call"]["ms_first_token"] > 0
    profiles = single_profile_toml(ollama.url, "ollama", model=ollama.model)
    assert run_doctor(easyllm, "--call", profiles=profiles)[0].code == 0
