"""Checks that a request limits its answer, which a budget relies on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.profile import find_output_limits
from ..errors import ConfigError
from .unsupported_parameters import OUTPUT_LIMIT_ALIASES, has_json_path


def require_output_limit(body: Mapping[str, Any], path: str, limit: int, where: str) -> None:
    """Require a limit of the answer where the protocol has it, and none above `limit` tokens.

    An option may replace the whole object that holds it, or set it under a name that the server
    does not know. `path`: of the limit in the body; `where`: for the error.
    Raises:
        ConfigError: the request limits the answer in another way, or not at all.
    """
    paths = (path, OUTPUT_LIMIT_ALIASES.get(path, path))
    found = find_output_limits(body)
    is_limited = any(has_json_path(body, each) for each in paths)
    # Some servers take 0 as no limit.
    if is_limited and all(each and each <= limit for each in found):
        return
    raise ConfigError(
        f"a budget is set, and the options leave the answer without its limit ({path})",
        where=where,
        code="options",
        hint="set --max-tokens, and leave such an option out",
    )
