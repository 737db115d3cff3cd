"""`easyllm keys set`: stores a key, which is never an argument."""

from typing import Annotated

import typer

from ...file_options import File
from ...option_types import providers
from ...options import options

KeyName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help='A provider, or a name for keyring = "NAME".', show_default=False,
        autocompletion=providers,
    ),
]  # fmt: skip


@options
def set(file: File, name: KeyName) -> int:
    """Store a key, read from a hidden prompt, or in a pipe from stdin's first line.

    It goes to the system keyring, or where there is none to a file that is yours alone.

    easyllm keys set openai < key.txt
    """
    from ....config import key_store
    from ....render.output import complain
    from ...typed_key import name_of_key, typed_key, unused

    key_store.holds(name_of_key(name))  # a damaged file is told before a key is typed
    where = key_store.store(name, typed_key(name))
    complain(f"easyllm: the key {name} is stored ({where})")
    hint = unused(name, file.profiles)
    if hint:
        complain(f"easyllm: {hint}")
    return 0
