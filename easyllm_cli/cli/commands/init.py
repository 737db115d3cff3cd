"""`easyllm init`: writes a first profiles file for the servers and keys it finds."""

from typing import Annotated

import typer

from ..options.groups import expand_option_groups
from ..options.run import ProfilesFileOption

Yes = Annotated[bool, typer.Option("--yes", help="Write without asking.")]


@expand_option_groups
def init(profiles_file: ProfilesFileOption, yes: Yes = False) -> int:
    """Find model servers on this machine and keys in the environment, and write profiles.toml.

    Only ports of this machine are tried. An existing file is never overwritten.

    easyllm init --yes
    """
    from ...config.edit import create_profiles_file, refuse_existing_file
    from ...config.profiles_file import profiles_path
    from ...render.output import OutputStream, print_notice
    from ..discovery import find_embedded_model, find_keys, find_running_servers
    from ..profiles_template import choose_default, confirm_write, format_profiles_file

    path = profiles_path(profiles_file.profiles)
    refuse_existing_file(path)
    servers, keys = [*find_running_servers(), *find_embedded_model()], find_keys()
    for provider in [*servers, *keys]:
        print_notice(f"easyllm: found {provider.description}")
    if not servers and not keys:
        print_notice("easyllm: found no server on the usual ports and no key in the environment")
    confirm_write(path, yes)
    create_profiles_file(
        path, format_profiles_file(servers, keys, choose_default(servers, keys, yes))
    )
    OutputStream(1, terminal=False).write(f"{path}\n")
    return 0
