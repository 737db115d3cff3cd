"""What is asked, and who answers."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from ..option_types import models, profiles
from .groups import WHAT, WHO, declare

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PROMPT...", help="What to ask; - stands for stdin.", show_default=False
    ),
]


@dataclass(eq=False, repr=False)
class Target:
    """Which profile and model."""

    profile: Annotated[
        str | None,
        declare(
            WHO, "-p", "--profile", says="Profile, or NAME:MODEL.", metavar="NAME",
            autocompletion=profiles,
        ),
    ] = None  # fmt: skip
    model: Annotated[
        str | None,
        declare(
            WHO, "-m", "--model", says="The model's own name.", metavar="MODEL",
            autocompletion=models,
        ),
    ] = None  # fmt: skip
    profiles: Annotated[
        str | None, declare(WHO, "--profiles", says="Profiles file.", metavar="FILE")
    ] = None
    config_db: Annotated[
        str | None,
        declare(WHO, "--config-db", says="Take the profile from a database.", metavar="URL"),
    ] = None
    config_id: Annotated[
        str | None, declare(WHO, "--config-id", says="The row's id in that database.", metavar="ID")
    ] = None


@dataclass(eq=False, repr=False)
class Ask:
    """What is asked, beside the prompt."""

    system: Annotated[
        str | None, declare(WHAT, "-s", "--system", says="System prompt.", metavar="TEXT")
    ] = None
    messages: Annotated[
        str | None,
        declare(WHAT, "--messages", says="OpenAI message list (JSON); - is stdin.", metavar="FILE"),
    ] = None
    file: Annotated[
        list[str] | None,
        declare(
            WHAT,
            "-f",
            "--file",
            says="Text file or '*.pattern' to put first; repeatable.",
            metavar="FILE",
        ),
    ] = None
    image: Annotated[
        list[str] | None,
        declare(
            WHAT,
            "-a",
            "--image",
            says="Picture or '*.pattern' to attach; repeatable.",
            metavar="IMAGE",
        ),
    ] = None
    no_stdin: Annotated[
        bool, declare(WHAT, "-n", "--no-stdin", says="Never read stdin (for shell loops).")
    ] = False
