"""Rate limits and budgets that all processes of one user share, in small locked files.

`limiter.py` is the door to the rate limits (`rate.py`, `concurrency.py`, `headers.py`), and
`budget.py` to the budgets (`ledger.py`). Nothing here knows a Call: `pipeline/rate_limit.py` and
`pipeline/budget.py` do.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ..config.paths import state_folder
from ..secret import Secret

RATE_FOLDER_NAME = "limits"


def rate_file_path(who: str, key: Secret | None) -> Path:
    """The file with the rate limit of a server and a key: `limits/HASH` in the state folder.

    `who`: the server's URL, of which the origin counts, or any other name of what is asked. The
    file's name is a hash, so that it shows neither.
    Raises:
        RuntimeError: the home folder is unknown.
    """
    from hashlib import sha256  # asyncio has loaded OpenSSL already

    parts = urlsplit(who)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else who
    value = key.reveal() if key is not None else ""
    hashed_key = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    name = sha256(f"{origin} {hashed_key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return state_folder() / RATE_FOLDER_NAME / name
