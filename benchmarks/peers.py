"""Compares easyllm with other tools, each in a venv of its own, on one short question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.commands import chat
from benchmarks.installs import Venv, environment, venv
from benchmarks.measure import CannotRun, Command, measure_paired, run
from benchmarks.server import MODEL, answer


@dataclass(frozen=True)
class Peer:
    """`packages`: what pip installs, the tool first. `command`: its chat, from (venv, base URL)."""

    packages: tuple[str, ...]
    command: Callable[[Venv, str], Command]


def llm(home: Venv, url: str) -> Command:
    argv = (home.program("llm"), "openai", "endpoint", url, "-m", MODEL, "hi")
    return Command("llm", argv, environment(), answer(MODEL))


def clai(home: Venv, url: str) -> Command:
    argv = (home.program("clai"), "-m", f"openai-chat:{MODEL}", "hi")
    seen = environment(OPENAI_BASE_URL=url, OPENAI_API_KEY="no-key")
    return Command("clai", argv, seen, answer(MODEL))


def sgpt(home: Venv, url: str) -> Command:
    argv = (home.program("sgpt"), "--no-cache", "--model", MODEL, "hi")
    seen = environment(API_BASE_URL=url, OPENAI_API_KEY="no-key")
    return Command("shell-gpt", argv, seen, answer(MODEL))


# shell-gpt 1.5.1 imports click without requiring it.
PEERS = (Peer(("llm",), llm), Peer(("clai",), clai), Peer(("shell-gpt", "click"), sgpt))


def install() -> dict[str, Venv | str]:
    """Each peer's environment with its newest release, or why it cannot be installed."""
    made: dict[str, Venv | str] = {}
    for peer in PEERS:
        name = peer.packages[0]
        try:
            home = venv(f"peers/{name}")
            home.pip("install", "--upgrade", *peer.packages)
            made[name] = home
        except CannotRun as error:
            made[name] = str(error)
    return made


def compare(
    ours: Venv, port: int, homes: dict[str, Venv | str], rounds: int
) -> dict[str, dict[str, object]]:
    """How many times faster one short chat is with easyllm, by the tool's name."""
    found: dict[str, dict[str, object]] = {}
    for peer in PEERS:
        name, home = peer.packages[0], homes[peer.packages[0]]
        try:
            if isinstance(home, str):
                raise CannotRun(home)
            command = peer.command(home, f"http://127.0.0.1:{port}/v1")
            run(command)  # the first run writes settings and byte code, so it is not measured
            figures = measure_paired([chat(ours, port, "openai", "easyllm"), command], rounds)[
                command.name
            ]
            found[name] = {
                "version": home.version(name), "cpu_ms": round(figures.median_ms, 1),
                "wall_ms": round(figures.wall_ms, 1), "cpu_ratio": round(figures.ratio, 2),
                "wall_ratio": round(figures.wall_ratio, 2),
            }  # fmt: skip
        except CannotRun as error:
            found[name] = {"error": str(error)}
    return found
