"""Server errors: unknown model, wrong endpoint, no server, model without vision."""

import json
from pathlib import Path

import pytest

from tests.support.binary import Easyllm, RunResult, single_profile_toml, split_error_line
from tests.support.images import png
from tests.support.servers.fixtures import RealServer
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.server import Handler, Reply, Request, StandIn, unreachable_server
from tests.support.terminal import SGR, run_on_terminals


def error_parts(ran: RunResult, code: int = 4) -> tuple[str, str, str]:
    """Check the exit code and the empty stdout; return the error line's what, where and hint."""
    assert (ran.code, ran.stdout) == (code, b""), ran.stderr
    return split_error_line(ran.error_line)


@pytest.fixture
def picture(easyllm: Easyllm) -> str:
    path = Path(easyllm.home, "red.png")
    path.write_bytes(png(32, 32, (255, 0, 0)))
    return str(path)


@pytest.mark.parametrize("command", ["chat", "models"])
@pytest.mark.parametrize(
    ("provider", "hint"),
    [
        ("ollama", "ollama serve"),
        ("llamacpp", "llama-server -m"),
        ("vllm", "vllm serve"),
        ("lmstudio", "lms server start"),
        ("openai", "is the server running?"),
    ],
)
def test_fault_01_nothing_listens(easyllm: Easyllm, command: str, provider: str, hint: str) -> None:
    """Not retried on this machine: a local server does not start within a backoff."""
    with unreachable_server() as server:
        profiles = single_profile_toml(f"{server.url}/v1", provider, initial_retry_delay=5)
        ran = easyllm.run(command, *(["hi"] if command == "chat" else []), profiles=profiles)
    what, where, advice = error_parts(ran, 6)
    assert "nothing listens at 127.0.0.1" in what
    assert "profile t" in where
    assert hint in advice


@pytest.mark.parametrize(
    ("provider", "handler", "model", "near"),
    [
        ("openai", OpenAIServer().handle, "gpt-4o-mni", "gpt-4o-mini"),
        ("ollama", OllamaServer().handle, "lama3.2", "llama3.2"),
        ("gemini", GeminiServer().handle, "gemini-2.5-flsh", "gemini-2.5-flash"),
        ("openrouter", OpenRouterServer().handle, "vendor/plan", "vendor/plain"),
        ("ollama", OllamaServer().handle, "phi9", "ollama pull phi9"),
        ("openai", OpenAIServer().handle, "zzz", "easyllm models -p t"),
        ("openai", OpenAIServer().handle, "grok-4", "the models; elsewhere: -p xai:grok-4"),
        ("ollama", OllamaServer().handle, "grok-4", "grok-4; elsewhere: -p xai:grok-4"),
    ],
    ids=[
        "openai",
        "ollama",
        "gemini",
        "openrouter",
        "ollama-far",
        "openai-far",
        "openai-other",
        "ollama-other",
    ],
)
def test_fault_11_unknown_model(
    easyllm: Easyllm, provider: str, handler: Handler, model: str, near: str
) -> None:
    with StandIn(handler) as server:
        keys = {"api_key_env": "KEY"} if provider != "ollama" else {}
        profiles = single_profile_toml(server, provider, model=model, **keys)
        what, where, hint = error_parts(
            easyllm.run("chat", "hi", profiles=profiles, env={"KEY": "test-key"})
        )
    assert model in what
    assert "profile t" in where
    assert near in hint


def test_a_provider_is_no_model(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        ran = easyllm.run("models", "groq", profiles=single_profile_toml(server))
    _, _, hint = error_parts(ran, 2)
    assert hint.startswith("easyllm models -p groq asks groq; easyllm models -p t lists all")


MODELS = ["vendor/Sonnet-4", "Vendor/opus", "other/sonnet-3", "vendor/haiku"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), ["other/sonnet-3", "vendor/haiku", "Vendor/opus", "vendor/Sonnet-4"]),
        (("SONNET",), ["other/sonnet-3", "vendor/Sonnet-4"]),
        (("4", "vendor"), ["vendor/Sonnet-4"]),
    ],
)
def test_models_are_sorted_and_chosen_by_words(
    easyllm: Easyllm, words: tuple[str, ...], shown: list[str]
) -> None:
    with StandIn(OpenAIServer(models=MODELS).handle) as server:
        profiles = single_profile_toml(server)
        ran = easyllm.run("models", *words, profiles=profiles)
        assert (ran.code, ran.stdout.decode().splitlines()) == (0, shown)
        rows = easyllm.run("models", "--json", *words).json["models"]
        assert [row["id"] for row in rows] == shown
        _, out, _ = run_on_terminals(easyllm, "models", *words)
    assert [SGR.sub("", line) for line in out.splitlines()[2:]] == shown


def test_words_that_no_model_holds(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer(models=MODELS).handle) as server:
        profiles = single_profile_toml(server)
        ran = easyllm.run("models", "opus", "vend r", profiles=profiles)
        assert error_parts(ran, 2) == (
            'no model\'s name holds "opus" and "vend r"', "t", "easyllm models -p t lists all 4"
        )  # fmt: skip


def web_page(status: int) -> Handler:
    async def handler(request: Request, reply: Reply) -> None:
        body = b"<!DOCTYPE html><html><title>Welcome</title><script>alert(1)</script></html>"
        await reply.head(status, content_type="text/html", length=len(body))
        await reply.write(body)

    return handler


@pytest.mark.parametrize("words", [("chat", "hi"), ("models",)], ids=["chat", "models"])
def test_fault_26_wrong_endpoint(easyllm: Easyllm, words: tuple[str, ...]) -> None:
    with StandIn(web_page(200)) as server:
        _, _, hint = error_parts(easyllm.run(*words, profiles=single_profile_toml(server.url)), 7)
        assert "/v1" in hint
        assert len(server.requests) == 1
    with StandIn(OpenAIServer(models=["test-model"]).handle) as server:
        _, where, hint = error_parts(easyllm.run(*words, profiles=single_profile_toml(server.url)))
    assert "404" in where
    assert "endpoint" in hint


@pytest.mark.parametrize("status", [404, 502])
def test_fault_24_html_page_as_an_error(easyllm: Easyllm, status: int) -> None:
    with StandIn(web_page(status)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server))
    what, _, _ = error_parts(ran, 4 if status == 404 else 5)
    assert "Welcome" in what
    assert "<" not in ran.stderr
    assert len(ran.stderr) < 300


@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
def test_image_for_a_model_without_vision(easyllm: Easyllm, picture: str, provider: str) -> None:
    """Exit code 4 before any request to the chat endpoint; the hint names vision models."""
    blind, sees, handler = {
        "ollama": ("llama3.2", "llava", OllamaServer().handle),
        "openrouter": ("vendor/free", "vendor/plain", OpenRouterServer().handle),
    }[provider]
    with StandIn(handler) as server:
        profiles = single_profile_toml(server, provider, model=blind)
        for words in [("vision", picture, "describe"), ("chat", "-a", picture, "describe")]:
            what, _, hint = error_parts(easyllm.run(*words, profiles=profiles))
            assert blind in what
            assert sees in hint
        assert not [
            request.path
            for request in server.requests
            if request.path.endswith(("chat", "completions"))
        ]


def test_image_for_a_real_model_without_vision(
    easyllm: Easyllm, picture: str, smol: RealServer
) -> None:
    """`llamacpp` reads /props; with `openai` the request is sent, and the server refuses it."""
    llamacpp = easyllm.run(
        "vision",
        picture,
        "describe",
        profiles=single_profile_toml(f"{smol.url}/v1", "llamacpp", model=smol.model),
    )
    what, _, hint = error_parts(llamacpp)
    assert "takes no images" in what
    assert "--mmproj" in hint
    openai = easyllm.run(
        "vision",
        picture,
        "describe",
        profiles=single_profile_toml(f"{smol.url}/v1", model=smol.model),
    )
    assert "mmproj" in error_parts(openai)[0]


def test_image_for_a_real_vision_model(easyllm: Easyllm, picture: str, eyes: RealServer) -> None:
    profiles = single_profile_toml(f"{eyes.url}/v1", "llamacpp", model=eyes.model, temperature=0)
    ran = easyllm.run("vision", picture, "Which colour?", profiles=profiles)
    assert ran.code == 0, ran.stderr
    assert b"red" in ran.stdout


def test_server_message_is_cut_and_redacted(easyllm: Easyllm) -> None:
    async def handler(request: Request, reply: Reply) -> None:
        message = request.headers["authorization"] + " \x1b]52;c;aGk=\x07 " + "long " * 1000
        await reply.json({"error": {"message": message}}, 400)

    with StandIn(handler) as server:
        profiles = single_profile_toml(server, api_key_env="KEY")
        ran = easyllm.run("chat", "hi", profiles=profiles, env={"KEY": "sk-0123456789"})
    what, _, _ = error_parts(ran)
    assert "sk-0123456789" not in ran.stderr
    assert len(what) <= 300
    assert "***" in what


def test_image_for_a_model_without_vision_in_json(easyllm: Easyllm, picture: str) -> None:
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="llama3.2")
        ran = easyllm.run("vision", "--json", picture, "describe", profiles=profiles)
    assert ran.code == 4
    assert json.loads(ran.stdout)["error"]["kind"] == "refused"
    assert ran.error_line
