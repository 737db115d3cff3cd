"""Options that select profile and model, or add files, images or a system prompt."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

import typer

from ..option_types import complete_models, complete_profiles
from .groups import INPUT_PANEL, MODEL_PANEL, OptionGroup, declare

PromptWords = Annotated[
    list[str] | None,
    typer.Argument(metavar="PROMPT...", help="The prompt; - means stdin.", show_default=False),
]


class ModelOptions(OptionGroup):
    """Options that select the profile and the model."""

    profile: Annotated[
        str | None,
        declare(
            MODEL_PANEL, "-p", "--profile", help="Profile, or NAME:MODEL.", metavar="NAME",
            short=True, autocompletion=complete_profiles,
        ),
    ] = None  # fmt: skip
    model: Annotated[
        str | None,
        declare(
            MODEL_PANEL, "-m", "--model", help="Model name.", metavar="MODEL",
            short=True, autocompletion=complete_models,
        ),
    ] = None  # fmt: skip
    profiles: Annotated[
        str | None, declare(MODEL_PANEL, "--profiles", help="Profiles file.", metavar="FILE")
    ] = None
    config_db: Annotated[
        str | None,
        declare(
            MODEL_PANEL, "--config-db", help="Take the profile from a database.", metavar="URL"
        ),
    ] = None
    config_id: Annotated[
        str | None,
        declare(MODEL_PANEL, "--config-id", help="Id of the row in that database.", metavar="ID"),
    ] = None


class InputOptions(OptionGroup):
    """Options for the input besides the prompt."""

    system: Annotated[
        str | None,
        declare(INPUT_PANEL, "-s", "--system", help="System prompt.", metavar="TEXT", short=True),
    ] = None
    messages: Annotated[
        str | None,
        declare(
            INPUT_PANEL,
            "--messages",
            help="OpenAI message list (JSON); - is stdin.",
            metavar="FILE",
        ),
    ] = None
    file: Annotated[
        list[str] | None,
        declare(
            INPUT_PANEL,
            "-f",
            "--file",
            help="Text file or '*.pattern', with its name; repeatable.",
            metavar="FILE",
            short=True,
        ),
    ] = None
    image: Annotated[
        list[str] | None,
        declare(
            INPUT_PANEL,
            "-a",
            "--image",
            help="Image or '*.pattern' to attach; repeatable.",
            metavar="IMAGE",
            short=True,
        ),
    ] = None
    no_stdin: Annotated[
        bool, declare(INPUT_PANEL, "-n", "--no-stdin", help="Never read stdin (for shell loops).")
    ] = False
