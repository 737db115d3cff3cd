"""The measured command lines, each with the output that it must print."""

from __future__ import annotations

from benchmarks.installs import CHECKOUT, Venv, environment
from benchmarks.measure import Command
from benchmarks.server import MODEL, answer

PATHS = {"openai": "/v1/chat/completions", "ollama": "/api/chat"}
HERE = CHECKOUT / "benchmarks"
LONG = "bench-10000"


def script(name: str, venv: Venv, port: int, file: str, model: str, provider: str) -> Command:
    """One of the scripts in this folder, run by a venv's Python."""
    argv = (venv.python, str(HERE / file), "127.0.0.1", str(port), PATHS[provider], model)
    return Command(name, argv, environment(), answer(model))


def easyllm(
    venv: Venv, port: int, arguments: str, name: str = "", terminal: bool = False, prints: str = ""
) -> Command:
    """The easyllm command; it finds the server through the providers' usual variables."""
    words = tuple(arguments.split())
    seen = environment(
        OLLAMA_HOST=f"http://127.0.0.1:{port}", OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1",
        OPENAI_API_KEY="no-key",
    )  # fmt: skip
    argv = (venv.program("easyllm"), *words)
    return Command(name or f"easyllm {arguments}", argv, seen, prints, terminal)


def bare(venv: Venv, port: int) -> Command:
    """The reference command."""
    return script("bare http.client", venv, port, "bare.py", MODEL, "openai")


def chat(venv: Venv, port: int, provider: str, name: str = "") -> Command:
    """A `chat` with a short answer into a pipe."""
    line = f"chat -p {provider} -m {MODEL} hi"
    return easyllm(venv, port, line, name or f"chat -p {provider}", prints=answer(MODEL))


def short(venv: Venv, port: int) -> list[Command]:
    """The commands that are measured in many rounds; the first is the reference."""
    return [
        bare(venv, port),
        script("httpx2 alone", venv, port, "alone.py", MODEL, "openai"),
        chat(venv, port, "ollama"),
        chat(venv, port, "openai"),
        version(venv, port),
        help_in_a_pipe(venv, port),
        easyllm(venv, port, "--help", "--help, terminal", terminal=True, prints="vision"),
    ]


def version(venv: Venv, port: int) -> Command:
    return easyllm(venv, port, "--version", "--version", prints="easyllm")


def help_in_a_pipe(venv: Venv, port: int) -> Command:
    return easyllm(venv, port, "--help", "--help, pipe", prints="vision")


def long(venv: Venv, port: int, provider: str) -> list[Command]:
    """The commands with 10,000 chunks; the first is the reference."""
    line = f"stream -p {provider} -m {LONG} hi"
    return [
        script(f"bare, 10,000 ({provider})", venv, port, "bare.py", LONG, provider),
        easyllm(venv, port, line, f"stream 10,000 -p {provider}", prints=answer(LONG)),
    ]


def against(venv: Venv, port: int, label: str) -> list[Command]:
    """The commands that --against compares with an older commit."""
    commands = [
        chat(venv, port, "ollama"),
        chat(venv, port, "openai"),
        version(venv, port),
        help_in_a_pipe(venv, port),
        *(long(venv, port, provider)[1] for provider in PATHS),
    ]
    return [
        Command(f"{command.name} ({label})", command.argv, command.environment, command.prints)
        for command in commands
    ]


def with_history(venv: Venv, port: int, mode: str, name: str = "", prompt: str = "hi") -> Command:
    """A `chat` into a pipe with a mode of the history; `prompt`: a word, or -f FILE."""
    line = f"chat -p ollama -m {MODEL} {prompt}"
    command = easyllm(venv, port, line, prints=answer(MODEL))
    seen = {**command.environment, "EASYLLM_HISTORY": mode}
    return Command(name or f"history {mode}", command.argv, seen, command.prints)


def history_modes(venv: Venv, port: int) -> list[Command]:
    """A `chat` in each mode of the history; the first is the reference, the second the same."""
    return [
        with_history(venv, port, "off"),
        with_history(venv, port, "off", "history off again"),
        with_history(venv, port, "metadata"),
        with_history(venv, port, "full"),
    ]


def cache_modes(venv: Venv, port: int) -> list[Command]:
    """A `chat` that asks, which is the reference, the same again, and one from the cache."""
    chats = [
        with_history(venv, port, "off", name)
        for name in ("chat", "chat again", "chat from the cache")
    ]
    chats[-1].environment["EASYLLM_CACHE"] = "1h"
    return chats
