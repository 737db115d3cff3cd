"""`easyllm profiles list`: the profiles of the file."""

from typing import Any

from ...file_options import File, Form
from ...options import options


@options
def list(file: File, form: Form) -> int:
    """List the profiles of the file: a table on a terminal, one name a line in a pipe.

    Built-in names (easyllm models -p NAME) need no file and are not listed.
    """
    from ....config.profiles_file import profiles_path, read_profiles
    from ...results import print_list

    profiles = read_profiles(file.profiles)
    named = profiles.default.partition(":")[0]
    rows = [row(profiles, name, name == named) for name in profiles.tables]
    empty = f"no profiles yet ({profiles_path(file.profiles)}): easyllm init, or profiles add"
    return print_list("profiles", rows, empty, json=form.json, color=form.color)


def row(profiles: Any, name: str, default: bool) -> dict[str, Any]:
    """One profile; one that is wrong says so, and the others are listed all the same."""
    from ....config.toml_document import mistake
    from ....errors import ConfigError

    made = {"name": name, "default": default, "provider": None, "model": None, "endpoint": None}
    problem = mistake(profiles, name)
    try:
        one = profiles.named(name)
        made |= {"provider": one.provider, "model": one.model, "endpoint": one.endpoint}
    except ConfigError:
        pass
    return {**made, "problem": str(problem) if problem else None}
