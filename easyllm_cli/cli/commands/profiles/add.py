"""`easyllm profiles add`: a new profile at the end of the file."""

from typing import Annotated

import typer

from ...file_options import File, Name
from ...options import options

Start = Annotated[
    str,
    typer.Argument(metavar="PROVIDER[:MODEL]", help="Or a profile to extend.", show_default=False),
]
Pairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="JSON, TOML or text; docs/profiles.md lists the keys.",
        show_default=False,
    ),
]  # fmt: skip


@options
def add(file: File, name: Name, start: Start, pairs: Pairs = None) -> int:
    """Add a profile; the file is made if there is none.

    easyllm profiles add r1 openrouter:deepseek/deepseek-r1 reasoning=high timeout.idle=120
    """
    from ....config.edit import add as add_profile
    from ....config.profiles_file import profiles_path
    from ....render.output import complain

    path = profiles_path(file.profiles)
    add_profile(path, name, start, pairs or [])
    complain(f"easyllm: added {name} ({path}); ask it with -p {name}")
    return 0
