"""`easyllm keys list`: the stored keys, masked."""

from ...file_options import Failure, Form
from ...options import options


@options
def list(failure: Failure, form: Form) -> int:
    """List the stored keys: where each one is, and at most its last 4 characters."""
    from ....config import key_store
    from ...results import print_list

    rows = [vars(one) for one in key_store.listed()]
    empty = "no keys are stored: easyllm keys set NAME"
    return print_list("keys", rows, empty, json=form.json, color=form.color)
