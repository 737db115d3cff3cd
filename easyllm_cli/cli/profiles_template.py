"""The first profiles file: commented, and without anything that costs money by itself."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from ..config.toml_document import format_toml_string
from ..errors import UsageError
from .discovery import EMBEDDED_MODELS, LOCAL_SERVERS, DiscoveredProvider

FILE_HEADER = """\
# Profiles for easyllm: named ways to reach a model. Written by easyllm init.
#
# easyllm profiles         lists them; profiles show NAME tells where each value comes from
# easyllm profiles edit    opens this file and checks it
# Every provider's name works without a table here, too: -p ollama, -p openai:MODEL, …
# Every key is in docs/profiles.md, and an example of each in profiles.example.toml.
"""
EXAMPLE_PROFILE = """
# [profiles.local-llama]
# provider = "ollama"
# model = "llama3.2"
"""


def confirm_write(path: Path, yes: bool) -> None:
    """Ask on a terminal, unless --yes was given.

    Raises:
        UsageError: there is nobody to ask, or the answer is no.
    """
    if yes:
        return
    if not os.isatty(0):
        raise UsageError(
            "init asks before it writes, and stdin is no terminal", hint="easyllm init --yes"
        )
    if not typer.confirm(f"Write {path}?", default=True, err=True):
        raise UsageError("nothing was written", hint="easyllm init --yes writes without asking")


def choose_default(
    servers: list[DiscoveredProvider], keys: list[DiscoveredProvider], yes: bool
) -> str:
    """The first server here, else what the user names (NAME or NAME:MODEL); "" = none.

    A provider that costs money is never chosen by itself.
    """
    if servers:
        return servers[0].provider
    names = [found.provider for found in keys]
    if yes or not names:
        return ""
    question = (
        f"Which one answers when none is named? ({', '.join(names)} or NAME:MODEL; Enter: none)"
    )
    while True:
        named = typer.prompt(question, default="", show_default=False, err=True).strip()
        if not named or named.partition(":")[0] in names:
            return str(named)


def format_profiles_file(
    servers: list[DiscoveredProvider], keys: list[DiscoveredProvider], default: str
) -> str:
    """The file's text."""
    first = next((found.provider for found in keys), "local-llama")
    line = f"default_profile = {format_toml_string(default or first)}"
    text = FILE_HEADER + "\n" + (line if default else f"# {line}") + " # what is asked without -p\n"
    for found in servers:
        title = {**LOCAL_SERVERS, **EMBEDDED_MODELS}[found.provider]
        text += f"\n# {title}, on this machine.\n" + _profile_table(found.provider)
        if found.models:
            model = format_toml_string(found.models[0])
            text += f"model = {model}{_model_count_comment(found.models)}\n"
    for found in keys:
        text += f"\n# The key comes from {found.key_source}. This provider may cost money.\n"
        text += _profile_table(found.provider)
        text += f'# model = "…" # easyllm models -p {found.provider} lists them\n'
    return text if servers or keys else text + EXAMPLE_PROFILE


def _profile_table(name: str) -> str:
    return f"[profiles.{name}]\nprovider = {format_toml_string(name)}\n"


def _model_count_comment(models: tuple[str, ...]) -> str:
    return f" # the first of {len(models)}" if len(models) > 1 else ""
