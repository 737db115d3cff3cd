"""What a model supports, as Anthropic's GET /v1/models/ID says; kept for a day in a file.

Source: https://platform.claude.com/docs/en/api/models/retrieve (`capabilities`, `max_tokens`).
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...config.paths import cache_folder
from ...private_file import write_private_file
from ..json_values import parse_count, parse_object

MAX_AGE_SECONDS = 24 * 3600.0
# A smaller maximum is a mistake of the server: Anthropic's smallest is 4096.
MIN_OUTPUT_TOKENS = 256
MAX_FILE_BYTES = 256 * 1024  # larger files are not ours
# An unknown home folder, a full disk, a file that is not JSON or not of this form.
IGNORED_FILE_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError)


class ModelCapabilities:
    """The facts about one model; every answer is None where the server does not say."""

    def __init__(self, row: dict[str, Any]) -> None:
        """`row`: the model's object in the response; {} = nothing is known."""
        limit = parse_count(row.get("max_tokens"))
        self.max_output_tokens = limit if (limit or 0) >= MIN_OUTPUT_TOKENS else None
        self._capabilities = parse_object(row.get("capabilities"))

    def supports(self, *path: str) -> bool | None:
        """Whether a capability is supported; the path is e.g. "thinking", "types", "adaptive"."""
        value: Any = self._capabilities
        for name in path:
            value = parse_object(value).get(name)
        supported = parse_object(value).get("supported")
        return supported if isinstance(supported, bool) else None


def load_cached_model(url: str, model: str) -> dict[str, Any] | None:
    """The row that `cache_model` kept at most 24 hours ago; None = there is no usable one."""
    with suppress(*IGNORED_FILE_ERRORS):
        with model_cache_path(url, model).open("rb") as file:
            kept = json.loads(file.read(MAX_FILE_BYTES))
        age = time.time() - kept["time"]
        is_same = (kept["url"], kept["model"]) == (url, model)
        if is_same and 0 <= age < MAX_AGE_SECONDS and isinstance(kept["row"], dict):
            return dict(kept["row"])
    return None


def cache_model(url: str, model: str, row: dict[str, Any]) -> None:
    """Keep a model's row in a file of mode 0600; errors are ignored, it is asked for again then."""
    facts = {name: row[name] for name in ("capabilities", "max_tokens") if name in row}
    kept = {"url": url, "model": model, "time": time.time(), "row": facts}
    with suppress(*IGNORED_FILE_ERRORS):
        write_private_file(model_cache_path(url, model), json.dumps(kept).encode())


def model_cache_path(url: str, model: str) -> Path:
    """The file of a model at an endpoint.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    from hashlib import sha256  # only --think and --effort need it

    name = sha256(f"{url}\n{model}".encode(errors="surrogatepass")).hexdigest()[:32]
    return cache_folder() / "capabilities" / f"{name}.json"
