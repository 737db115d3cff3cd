"""A plain command imports no heavy package and nothing of another command."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.binary import BINARY, Easyllm, chat_answer_script, single_profile_toml
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

IMPORT = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
HEAVY = {"openai", "litellm", "google", "pydantic", "sqlalchemy", "markdown_it", "rich"}
HEAVY |= {"readline", "tomlkit", "jsonschema", "keyring", "xllamacpp", "backoff", "genai_prices"}
OURS = {
    *(f"providers.{name}" for name in ("gemini", "ollama", "openrouter", "litellm")),
    "providers.openai.responses",
    *(f"cli.commands.{name}" for name in ("vision", "models", "cot", "compare")),
    "cli.repl", "cli.turn", "cli.comparison", "cli.options.comparison", "render.comparison",
    "cli.database_profile", "cli.completion", "config.model_list_cache",
    *(f"render.{name}" for name in ("tables", "terminal", "markdown", "json")),
    "config.database", "installation", "plugins", "transport.openai_sdk", "transport.google_sdk",
    "routing", "config.auto_profile", "cli.auto_choice", "render.route_table",
    "limits", "limits.limiter", "limits.rate", "server_times",
    "image_header", "providers.image_inputs", "transport.image_download",
    "transport.network_errors", "transport.retry_after",
}  # fmt: skip
UNUSED_HERE = HEAVY | {f"easyllm_cli.{name}" for name in OURS}
# The modules that each command must not import when its output goes to pipes.
FORBIDDEN = {
    "--version": UNUSED_HERE | {"typer", "asyncio", "httpx2", "easyllm_cli.cli.app"},
    "--help": UNUSED_HERE | {"asyncio", "httpx2", "easyllm_cli.config.profiles_file"},
    "chat hi": UNUSED_HERE | {"easyllm_cli.cli.commands.stream"},
    "stream hi": UNUSED_HERE | {"easyllm_cli.cli.commands.chat"},
}


def imported(
    easyllm: Easyllm,
    *args: str,
    env: Mapping[str, str] | None = None,
    server: StandIn | None = None,
    profiles: str | None = None,
    **settings: Any,
) -> set[str]:
    """The modules that the command imports while a server, this or a new one, answers "Hello".

    `settings`: of the profile. `PYTHONPROFILEIMPORTTIME` makes Python name them on stderr.
    """
    if server is None:
        with StandIn(script_handler(chat_answer_script("Hello"))) as new_server:
            return imported(easyllm, *args, env=env, server=new_server, **settings)
    ran = easyllm.run(
        *args, command=[BINARY],
        profiles=profiles or single_profile_toml(server, api_key_env="THE_KEY", **settings),
        env={"PYTHONPROFILEIMPORTTIME": "1", "THE_KEY": "sk-0123456789", **(env or {})},
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    return set(IMPORT.findall(ran.stderr))


imported_once: dict[tuple[str, ...], set[str]] = {}


def imported_by(easyllm: Easyllm, *args: str) -> set[str]:
    """The modules that the command imports; equal commands of several tests run once."""
    if args not in imported_once:
        imported_once[args] = imported(easyllm, *args)
    return imported_once[args]


@pytest.mark.parametrize("line", FORBIDDEN)
def test_cost_4_only_what_the_command_needs(easyllm: Easyllm, line: str) -> None:
    names = imported_by(easyllm, *line.split())
    assert "easyllm_cli" in names
    assert not names & FORBIDDEN[line]


@pytest.mark.parametrize("words", [["a b"], ["-p", "t", "hi"]], ids=repr)
def test_without_chat_the_same_is_imported(easyllm: Easyllm, words: list[str]) -> None:
    assert imported(easyllm, *words) == imported_by(easyllm, "chat", "hi")


def test_compare_into_a_pipe_draws_nothing(easyllm: Easyllm) -> None:
    names = imported(easyllm, "compare", "-p", "t", "-p", "t:other", "hi")
    drawing = {"comparison_layout", "columns", "live_region", "markdown"}
    assert not names & {"rich", "markdown_it", *(f"easyllm_cli.render.{each}" for each in drawing)}
    assert "easyllm_cli.render.comparison" in names


def test_auto_4_only_an_auto_profile_imports_the_choice(easyllm: Easyllm) -> None:
    routing = {"easyllm_cli.routing", "easyllm_cli.config.auto_profile"}
    words = ("chat", "--history", "off", "hi")
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        auto = '[profiles.auto]\nprovider = "auto"\ncandidates = ["t", "ollama"]\n'
        profiles = single_profile_toml(server) + auto
        assert not imported(easyllm, *words, server=server, profiles=profiles) & routing
        chosen = imported(easyllm, *words, "-p", "auto", server=server, profiles=profiles)
    assert chosen >= routing
    unused = {"routing.speeds", "routing.recorded", "render.route_table", "pricing.table"}
    assert not chosen & (
        HEAVY | {"sqlite3", "decimal"} | {f"easyllm_cli.{each}" for each in unused}
    )


def test_hist_5_without_history_sqlite_is_not_imported(easyllm: Easyllm) -> None:
    history = {"sqlite3", "easyllm_cli.history"}
    assert not imported(easyllm, "chat", "--history", "off", "hi") & history
    assert imported(easyllm, "chat", "--history", "metadata", "hi") >= history


def test_cache_6_and_8_only_what_an_answer_from_the_cache_needs(easyllm: Easyllm) -> None:
    cache = {"pipeline.replay", "pipeline.answer_cache", "pipeline.request_identity"}
    cache = {f"easyllm_cli.{name}" for name in (*cache, "recordings", "recordings.store")}
    recorder = {"pipeline.record", "recordings.file", "config.known_keys"}
    recorder = {f"easyllm_cli.{name}" for name in recorder}
    http = {"httpx2", "http.client", "easyllm_cli.transport.http"}
    assert not imported_by(easyllm, "chat", "hi") & (cache | recorder)
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        words = ("chat", "--cache", "1h", "hi")
        assert imported(easyllm, *words, server=server) >= cache | http
        kept = imported(easyllm, *words, server=server)
        assert len(server.requests) == 1
        assert imported(easyllm, *words, "--record", "a.jsonl", server=server) >= recorder
    assert kept >= cache
    # asyncio itself imports ssl. No key is looked up that `redact` would have to find.
    assert not kept & (http | recorder | {"easyllm_cli.redaction"})


@pytest.mark.parametrize(
    ("settings", "modules"),
    [
        ({}, set()),
        ({"rpm": 600}, {"file_lock", "limits", *(
            f"limits.{name}" for name in ("limiter", "lock", "rate", "rate_state")
        )}),
    ],
    ids=["nothing set", "rpm"],
)  # fmt: skip
def test_limit_6_only_what_the_limits_that_are_set_need(
    easyllm: Easyllm, settings: dict[str, Any], modules: set[str]
) -> None:
    ours = {
        name.removeprefix("easyllm_cli.") for name in imported(easyllm, "chat", "hi", **settings)
    }
    assert {name for name in ours if name.startswith(("limits", "file_lock"))} == modules
    assert (easyllm.home / "state" / "easyllm" / "limits").exists() == bool(settings)


def test_the_front_page_needs_no_typer(easyllm: Easyllm) -> None:
    assert not imported(easyllm, "-h") & FORBIDDEN["--version"]
