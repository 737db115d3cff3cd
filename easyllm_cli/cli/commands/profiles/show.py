"""`easyllm profiles show`: every value of one profile, and where it comes from."""

from ...file_options import File, Form, Name
from ...options import options


@options
def show(file: File, form: Form, name: Name) -> int:
    """Show every value of a profile that counts, and where it comes from; keys are masked."""
    import json

    from ....config.profiles_file import read_profiles
    from ....config.value_sources import settings
    from ....render.options import is_terminal
    from ....render.output import Stream
    from ...results import Outcome, finish

    profiles = read_profiles(file.profiles)
    found = settings(profiles, name)
    if form.json:
        values = [vars(one) for one in found]
        listing = {"profile": name, "values": values}
        return finish(Outcome(listing=listing), json=True, jsonl=False, debug=False)
    shown = [(one.key, json.dumps(one.value, ensure_ascii=False), one.source) for one in found]
    widest = max(len(key) for key, _, _ in shown)
    broad = min(max(len(value) for _, value, _ in shown), 40)
    lines = [f"{key:{widest}}  {value:{broad}}  {source}\n" for key, value, source in shown]
    Stream(1, terminal=is_terminal(1)).write("".join(lines))
    return 0
