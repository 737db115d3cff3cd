"""Very long text from a server is cut in every line that easyllm prints."""

import pytest

from tests.support.binary import Easyllm, single_profile_toml
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.script import DONE, Script, chunk, script_handler, sse
from tests.support.standins.server import Reply, Request, StandIn

LONG = "odd " * 20_000
NAME = "llama" * 20_000


def long_finish(path: str) -> bytes:
    """Body of an answer with a very long finish reason."""
    if path.endswith("/chat/completions"):
        return chunk("Hello") + chunk(finish=LONG) + DONE
    frame = {"content": {"parts": [{"text": "Hello"}]}, "finishReason": LONG}
    return sse({"candidates": [frame]})


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_long_finish_reason_is_cut(easyllm: Easyllm, provider: str) -> None:
    async def handler(request: Request, reply: Reply) -> None:
        await Script(long_finish(request.path)).play(reply)

    with StandIn(handler) as server:
        ran = easyllm.run(
            "chat", "hi", profiles=single_profile_toml(server, provider, api_key="test-key")
        )
    assert 50 < ran.stderr.count("odd") * len("odd ") <= 300
    assert str(easyllm.partials()[0]) in ran.error_line, "easyllm's own text is not cut"
    assert ran.code == 7


def test_long_block_reason_is_cut(easyllm: Easyllm) -> None:
    body = sse({"promptFeedback": {"blockReason": LONG}})
    with StandIn(script_handler(Script(body))) as server:
        ran = easyllm.run(
            "chat", "hi", profiles=single_profile_toml(server, "gemini", api_key="test-key")
        )
    assert (ran.code, ran.stdout) == (4, b"")
    assert 50 < ran.stderr.count("odd") * len("odd ") <= 300


def test_long_model_name_in_a_note_is_cut(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer(models={NAME: ("completion",)}).handle) as server:
        profiles = single_profile_toml(server, "ollama", model=None)
        ran = easyllm.run("chat", "-v", "hi", profiles=profiles)
    assert "the first one installed" in ran.stderr
    assert max(map(len, ran.stderr.splitlines())) < 600


def test_long_model_names_in_a_hint_are_cut(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer(models={NAME: ("completion",)}).handle) as server:
        ran = easyllm.run(
            "chat", "hi", profiles=single_profile_toml(server, "ollama", model="llama" * 10)
        )
    assert ran.code == 4
    assert len(ran.stderr) < 1000
    assert "llama" in ran.stderr


def test_key_is_redacted_before_a_long_text_is_cut(easyllm: Easyllm) -> None:
    """Redaction comes first, so no part of the key is left at the cut."""
    key = "sk-0123456789abcdef"
    text = "".join(f"{number}{key}" for number in range(1000))
    script = Script(chunk("Hello"), chunk(finish=text), DONE)
    with StandIn(script_handler(script)) as server:
        ran = easyllm.run(
            "chat", "hi", profiles=single_profile_toml(server, api_key_env="K"), env={"K": key}
        )
    assert ran.code == 7
    assert "***" in ran.stderr
    assert "sk-0" not in ran.stderr
    assert "cdef" not in ran.stderr
