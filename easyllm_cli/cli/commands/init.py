"""`easyllm init`: a first profiles file, from what is on this machine."""

from typing import Annotated

import typer

from ..options.groups import options
from ..options.run import File

Yes = Annotated[bool, typer.Option("--yes", help="Write without asking.")]


@options
def init(file: File, yes: Yes = False) -> int:
    """Find model servers on this machine and keys in the environment, and write profiles.toml.

    Only this machine's own ports are asked. A file that is there is never written over.

    easyllm init --yes
    """
    from ...config.edit import create, refuse_existing
    from ...config.profiles_file import profiles_path
    from ...render.output import Stream, complain
    from ..discovery import embedded_model, known_keys, running_servers
    from ..profiles_template import choose_default, may_write, starter

    path = profiles_path(file.profiles)
    refuse_existing(path)
    servers, keys = [*running_servers(), *embedded_model()], known_keys()
    for found in [*servers, *keys]:
        complain(f"easyllm: found {found.says}")
    if not servers and not keys:
        complain("easyllm: found no server on the usual ports and no key in the environment")
    may_write(path, yes)
    create(path, starter(servers, keys, choose_default(servers, keys, yes)))
    Stream(1, terminal=False).write(f"{path}\n")
    return 0
