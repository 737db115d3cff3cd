"""`easyllm init`: writes a first profiles file for the servers and keys it finds."""

# No `from __future__ import annotations`: Typer needs the real types.
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ..options.common import ProfilesFileOption
from ..options.groups import expand_option_groups

if TYPE_CHECKING:
    from ..discovery import DiscoveredProvider

MAX_ANSWERS = 3  # to the question for the default profile
Yes = Annotated[bool, typer.Option("--yes", help="Write without asking.")]


@expand_option_groups
def init(profiles_file: ProfilesFileOption, yes: Yes = False) -> int:
    """Find model servers on this machine and keys in the environment, and write profiles.toml.

    Only ports of this machine are tried. An existing file is never overwritten.

    easyllm init
    easyllm init --yes --profiles work.toml
    """
    from ...config.edit import create_profiles_file, refuse_existing_file
    from ...config.profiles_file import profiles_path
    from ...render.output import OutputStream, print_notice
    from ..cost import refresh_price_table
    from ..discovery import find_embedded_model, find_keys, find_servers
    from ..profiles_template import format_profiles_file

    path = profiles_path(profiles_file.profiles)
    refuse_existing_file(path)
    servers, keys = [*find_servers(), *find_embedded_model()], find_keys()
    for server in servers:
        print_notice(f"easyllm: found {describe_server(server)}")
    for key in keys:
        name, variable = key.provider, key.key_variable
        found = f"a key for {name} in {variable}" if variable else f"a stored key for {name}"
        print_notice(f"easyllm: found {found}")
    if not servers and not keys:
        print_notice("easyllm: found no server on the usual ports and no key in the environment")
    confirm_write(path, yes, is_example=not servers and not keys)
    create_profiles_file(
        path, format_profiles_file(servers, keys, choose_default(servers, keys, yes))
    )
    refresh_price_table()
    OutputStream(1, terminal=False).write(f"{path}\n")
    return 0


def describe_server(server: "DiscoveredProvider") -> str:
    """The server and its number of models, or the demo model."""
    from ..discovery import LOCAL_SERVERS
    from ..profiles_template import DEMO_TITLE

    if server.provider not in LOCAL_SERVERS:
        return DEMO_TITLE[0].lower() + DEMO_TITLE[1:]
    count = f"{len(server.models)} model{'s' * (len(server.models) != 1)}"
    return f"{LOCAL_SERVERS[server.provider]} at {server.endpoint}, {count}"


def confirm_write(path: Path, yes: bool, is_example: bool) -> None:
    """Ask on a terminal, unless --yes was given. `is_example`: all of the file is a comment.

    Raises:
        UsageError: stdin is not a terminal, or the answer is no.
    """
    if yes:
        return
    if not os.isatty(0):
        raise UsageError(
            "init asks before it writes, and stdin is not a terminal", hint="easyllm init --yes"
        )
    question = f"Write a commented example file? ({path})" if is_example else f"Write {path}?"
    if not typer.confirm(question, default=True, err=True):
        raise UsageError("nothing was written", hint="easyllm init --yes writes without asking")


def choose_default(
    servers: "list[DiscoveredProvider]", keys: "list[DiscoveredProvider]", yes: bool
) -> str:
    """The first local server, else what the user enters (NAME or NAME:MODEL); "" = none.

    A paid provider is never chosen automatically.
    Raises:
        UsageError: every answer was wrong.
    """
    from ...render.options import terminal_size
    from ...render.output import print_notice

    if servers:
        return servers[0].provider
    names = [key.provider for key in keys]
    if yes or not names:
        return ""
    choices = f"{', '.join(names)}, {names[0]}:MODEL, or"
    question = textwrap.fill(
        f"Default profile (used without -p): {choices} Enter for none",
        width=max(20, terminal_size(2)[0] - len(": ")),
    )
    for _ in range(MAX_ANSWERS):
        answer = str(typer.prompt(question, default="", show_default=False, err=True)).strip()
        name, colon, model = answer.partition(":")
        if not answer or (name in names and bool(colon) == bool(model)):
            return answer
        print_notice(f'easyllm: "{answer}" is not a profile: type {choices} press Enter for none')
    raise UsageError(
        f"no default profile after {MAX_ANSWERS} answers; nothing was written",
        hint="easyllm init --yes writes the file without one",
    )
