"""Tests runs without a profile: the error lists the usable ones, and no prompt is sent.

Without the extra `local`; extras/test_local.py tests with its engine.
"""

import time
from pathlib import Path

import pytest

from easyllm_cli.providers.local.model_files import DEMO_BYTES, DEMO_MODEL
from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml, split_error_line
from tests.support.install_commands import installs_extra
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

NO_OLLAMA = {"OLLAMA_HOST": "127.0.0.1:9"}


def hint_of(easyllm: Easyllm, env: dict[str, str], *args: str) -> str:
    """The hint of the error "no profile is chosen"."""
    ran = easyllm.run("chat", *args, "hi", env={**NO_OLLAMA, **env})
    assert (ran.code, ran.stdout) == (2, b"")
    what, where, hint = split_error_line(ran.error_line)
    assert (what, where) == ("no profile is chosen", "no profiles file")
    return hint


def test_nothing_is_found(easyllm: Easyllm) -> None:
    hint = hint_of(easyllm, {})
    first, _, install = hint.partition("install the demo model: ")
    assert first == "name one with -p, or "
    assert install.endswith(" && easyllm pull --yes")
    assert installs_extra(install.removesuffix(" && easyllm pull --yes"), "local")
    assert "found" not in hint


def test_only_the_engine_is_missing(easyllm: Easyllm) -> None:
    path = easyllm.home / "data" / "easyllm" / "models" / f"{DEMO_MODEL}.gguf"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(DEMO_BYTES)
    hint = hint_of(easyllm, {})
    assert installs_extra(hint.rpartition("the engine of the demo model: ")[2], "local")
    assert "pull" not in hint


def test_a_key_is_found_and_never_used_by_itself(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("paid for"))) as server:
        env = {"OPENAI_API_KEY": "sk-secret-1", "OPENAI_BASE_URL": f"{server.url}/v1"}
        hint = hint_of(easyllm, {**env, "GROQ_API_KEY": "sk-secret-2"})
        assert not server.requests
    assert hint.startswith("OPENAI_API_KEY is set: -p openai:MODEL; ")
    assert "GROQ_API_KEY is set: -p groq:MODEL" in hint
    assert "sk-secret" not in hint


def test_a_stored_key_is_found_and_a_blank_variable_is_not(easyllm: Easyllm) -> None:
    easyllm.run("keys", "set", "mistral", stdin="sk-secret-3")
    hint = hint_of(easyllm, {"OPENAI_API_KEY": " "})
    assert hint.startswith("a key is stored: -p mistral:MODEL; or ")


def test_a_running_ollama_is_found(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        hint = hint_of(easyllm, {"OLLAMA_HOST": server.url})
        assert [request.path for request in server.requests] == ["/api/tags"], "no prompt is sent"
    assert f"Ollama answers at {server.url}: -p ollama" in hint


def test_a_silent_ollama_is_waited_for_half_a_second(easyllm: Easyllm) -> None:
    async def silent(request: Request, reply: Reply) -> None:
        await reply.sleep(30)

    with StandIn(silent) as server:
        began = time.monotonic()
        hint = hint_of(easyllm, {"OLLAMA_HOST": server.url})
        took = time.monotonic() - began
        assert len(server.requests) == 1
    assert "Ollama" not in hint
    assert 0.5 <= took < 5


def test_a_gguf_file_is_found(easyllm: Easyllm) -> None:
    (easyllm.home / "my model.gguf").write_bytes(b"GGUF")
    (easyllm.home / "mmproj-my.gguf").write_bytes(b"GGUF")
    hint = hint_of(easyllm, {})
    assert "my model.gguf: -p 'local:my model.gguf'" in hint
    assert "mmproj" not in hint


@pytest.mark.parametrize(
    ("args", "env"),
    [(["-m", "gpt-4o"], {}), ([], {"EASYLLM_MODEL": "gpt-4o"})],
    ids=["-m", "EASYLLM_MODEL"],
)
def test_a_model_alone_chooses_no_profile(
    easyllm: Easyllm, args: list[str], env: dict[str, str]
) -> None:
    assert "-m names a model of a profile; e.g. -p openai:gpt-4o" in hint_of(easyllm, env, *args)


def test_a_vendors_model_is_no_model_of_local(easyllm: Easyllm) -> None:
    ran = easyllm.run("models", "-m", "gpt-4o", profiles='default_profile = "local"\n')
    hint = "-m names a model of profile local; e.g. -p openai:gpt-4o"
    assert split_error_line(ran.error_line)[2] == hint
    assert "-p" not in easyllm.run("models", "-m", "mine", "-p", "local").error_line


@pytest.mark.parametrize("how", ["variable", "file", "flag"])
def test_a_named_profile_is_used_without_a_search(easyllm: Easyllm, how: str) -> None:
    with (
        StandIn(script_handler(chat_answer_script("named"))) as server,
        StandIn(OllamaServer().handle) as ollama,
    ):
        text = single_profile_toml(server)
        args = ["-p", "t"] if how == "flag" else []
        env = {"OLLAMA_HOST": ollama.url} | ({"EASYLLM_PROFILE": "t"} if how == "variable" else {})
        text = text if how == "file" else text.partition("\n")[2]
        ran = easyllm.run("chat", *args, "hi", env=env, profiles=text)
        assert not ollama.requests
    assert (ran.code, ran.stdout) == (0, b"named\n")


def test_local_without_its_engine_says_what_to_install(easyllm: Easyllm) -> None:
    ran = easyllm.run("chat", "-p", "local", "hi")
    assert ran.code == 2
    assert installs_extra(split_error_line(ran.error_line)[2], "local")


def test_local_takes_no_endpoint(easyllm: Easyllm) -> None:
    profiles = '[profiles.t]\nprovider = "local"\nendpoint = "http://127.0.0.1:9"\n'
    ran = easyllm.run("chat", "-p", "t", "hi", profiles=profiles)
    assert ran.code == 2
    assert "llamacpp" in split_error_line(ran.error_line)[2]


def test_dry_run_of_local_without_its_engine(easyllm: Easyllm) -> None:
    env = {"LOCAL_BASE_URL": "http://example.com", "HTTP_PROXY": "http://example.com"}
    ran = easyllm.run("chat", "-p", "local", "--dry-run", "--max-tokens", "5", "hi", env=env)
    assert ran.code == 0, ran.stderr
    assert ran.json["url"] is None, "the model runs in the process itself"
    assert "Authorization" not in ran.json["headers"]
    assert ran.json["body"]["max_tokens"] == 5


def test_models_lists_the_downloaded_models(easyllm: Easyllm, tmp_path: Path) -> None:
    folder = easyllm.home / "data" / "easyllm" / "models"
    folder.mkdir(parents=True)
    for name in ("a-model", DEMO_MODEL, "mmproj-a-model"):
        (folder / f"{name}.gguf").write_bytes(b"GGUF")
    ran = easyllm.run("models", "-p", "local")
    assert (ran.code, ran.stdout.decode().split()) == (0, ["a-model", DEMO_MODEL])


def test_models_without_a_download_says_how_to_fetch_one(easyllm: Easyllm) -> None:
    ran = easyllm.run("models", "-p", "local")
    assert ran.code == 2
    assert split_error_line(ran.error_line)[2] == "easyllm pull"
