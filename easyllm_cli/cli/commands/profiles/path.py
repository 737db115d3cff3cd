"""`easyllm profiles path`: where the profiles file is."""

from ...file_options import File, Form
from ...options import options


@options
def path(file: File, form: Form) -> int:
    """Print where the profiles file is, or would be."""
    from ....config.profiles_file import profiles_path
    from ....render.output import Stream
    from ...results import Outcome, finish

    found = profiles_path(file.profiles)
    if form.json:
        listing = {"path": str(found), "exists": found.exists()}
        return finish(Outcome(listing=listing), json=True, jsonl=False, debug=False)
    Stream(1, terminal=False).write(f"{found}\n")
    return 0
