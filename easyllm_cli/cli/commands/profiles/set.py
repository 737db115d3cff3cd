"""`easyllm profiles set`: one key of a profile."""

from typing import Annotated

import typer

from ...file_options import File, Name
from ...options import options

Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="E.g. model, timeout.idle, options.x.", show_default=False),
]
Value = Annotated[
    str,
    typer.Argument(metavar="VALUE", help="JSON, TOML or text; null: none.", show_default=False),
]


@options
def set(file: File, name: Name, key: Key, value: Value) -> int:
    """Set one key of a profile; comments and order stay, and null takes the key away.

    easyllm profiles set r1 timeout.idle 120
    """
    from ....config.edit import set_key
    from ....config.profiles_file import profiles_path

    set_key(profiles_path(file.profiles), name, key, value)
    return 0
