"""Builds the text of the first profiles file, from what was found on this machine."""

from __future__ import annotations

from ..config.toml_document import format_toml_string
from .discovery import LOCAL_SERVERS, DiscoveredProvider

DEMO_TITLE = "A small demo model, run by easyllm itself"
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


def format_profiles_file(
    servers: list[DiscoveredProvider], keys: list[DiscoveredProvider], default: str
) -> str:
    """The text of the profiles file."""
    first = next((key.provider for key in keys), "local-llama")
    line = f"default_profile = {format_toml_string(default or first)}"
    text = FILE_HEADER + "\n" + (line if default else f"# {line}") + " # used without -p\n"
    for server in servers:
        title = LOCAL_SERVERS.get(server.provider, DEMO_TITLE)
        text += f"\n# {title}, on this machine.\n" + _profile_table(server.provider)
        if server.models:
            model = format_toml_string(server.models[0])
            text += f"model = {model}{_model_count_comment(server.models)}\n"
    for key in keys:
        source = key.key_variable or f"easyllm keys ({key.provider})"
        text += f"\n# The key comes from {source}. This provider may cost money.\n"
        text += _profile_table(key.provider)
        text += f'# model = "…" # easyllm models -p {key.provider} lists them\n'
    return text if servers or keys else text + EXAMPLE_PROFILE


def _profile_table(name: str) -> str:
    return f"[profiles.{name}]\nprovider = {format_toml_string(name)}\n"


def _model_count_comment(models: tuple[str, ...]) -> str:
    return f" # the first of {len(models)}" if len(models) > 1 else ""
