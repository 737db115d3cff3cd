"""`easyllm profiles edit`: the file in the user's editor."""

from ...file_options import File
from ...options import options


@options
def edit(file: File) -> int:
    """Open the profiles file in $VISUAL or $EDITOR; it is checked before it counts.

    A copy is edited. One that is wrong is kept beside the file, which stays as it was.
    """
    from ....config.edit import copy_to_edit, keep_edited
    from ....config.profiles_file import profiles_path
    from ....render.output import complain
    from ...editor import open_editor

    path = profiles_path(file.profiles)
    copy, began_with = copy_to_edit(path)
    open_editor(copy, began_with)
    if not keep_edited(path, copy, began_with):
        complain(f"easyllm: nothing was changed ({path})")
    return 0
