"""`easyllm keys remove`: forgets a key."""

from ..file_options import File
from ..options import options
from .set import KeyName


@options
def remove(file: File, name: KeyName) -> int:
    """Forget a stored key."""
    from ... import keys

    keys.remove(name)
    return 0
