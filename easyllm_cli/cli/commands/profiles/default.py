"""`easyllm profiles default`: the profile that is asked when none is named."""

from typing import Annotated

import typer

from ...file_options import File
from ...options import options

Named = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A profile, or NAME:MODEL.", show_default=False),
]


@options
def default(file: File, name: Named = None) -> int:
    """Say which profile is asked when none is named; without NAME: print it."""
    from ....config.edit import set_default
    from ....config.profiles_file import profiles_path, read_profiles
    from ....errors import ConfigError
    from ....render.output import Stream

    path = profiles_path(file.profiles)
    if name is not None:
        set_default(path, name)
        return 0
    known = read_profiles(file.profiles).default
    if not known:
        raise ConfigError(
            "there is no default profile", where=str(path), hint="easyllm profiles default NAME"
        )
    Stream(1, terminal=False).write(f"{known}\n")
    return 0
