"""`easyllm profiles remove`: takes a profile out of the file."""

from ...file_options import File, Name
from ...options import options


@options
def remove(file: File, name: Name) -> int:
    """Take a profile out of the file; one that others extend or fall back to stays."""
    from ....config.edit import remove as remove_profile
    from ....config.profiles_file import profiles_path
    from ....render.output import complain

    path = profiles_path(file.profiles)
    if remove_profile(path, name):
        complain(f"easyllm: {name} was the default; now there is none ({path})")
    return 0
