"""`easyllm keys remove`: forgets a key."""

from ...file_options import Failure
from ...options import options
from .set import KeyName


@options
def remove(failure: Failure, name: KeyName) -> int:
    """Forget a stored key."""
    from ....config import key_store

    key_store.remove(name)
    return 0
