"""A request that a server refuses for one parameter is sent once more without it (DESIGN §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..config.profile import Profile
from ..errors import EasyLLMError, RefusedError, TooLargeError
from ..transport.base import Request

PARAMETER_ERROR_STATUSES = (400, 413, 422)
# The answer's limit has two names in OpenAI's world: the other one is tried (WIRE §1a).
OUTPUT_LIMIT_ALIASES = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
# Every provider's name for the longest answer.
OUTPUT_LIMIT_KEYS = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "num_predict",
    "n_predict",
    "maxOutputTokens",
)
# A schema is never left out: the user is told how to ask for JSON alone.
JSON_MODE_OPTIONS = {
    "response_format": """response_format='{"type": "json_object"}'""",
    "text.format": """text='{"format": {"type": "json_object"}}'""",
    "format": "format=json",
    "generationConfig.responseSchema": "responseSchema=null",
    "generationConfig.responseJsonSchema": "responseJsonSchema=null",
}
# Ours, not the user's: no line about them.
SILENTLY_DROPPED_KEYS = ("stream_options", "store", "include", "truncate")


def set_json_path(body: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b.c` in nested objects, made where they are missing."""
    *parents, last = path.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[last] = value


def drop_json_path(body: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy without `a.b.c`; an object that is empty then goes too."""
    head, _, rest = path.partition(".")
    if head not in body:
        return body
    copy = {key: value for key, value in body.items() if key != head}
    if rest and isinstance(body[head], dict):
        inner = drop_json_path(body[head], rest)
        if inner:
            copy[head] = inner
    return copy


def has_json_path(body: Any, path: str) -> bool:
    """Whether `a.b.c` stands in nested objects."""
    for part in path.split("."):
        if not isinstance(body, dict) or part not in body:
            return False
        body = body[part]
    return True


def has_output_limit(body: Mapping[str, Any]) -> bool:
    """Whether a request says how long the answer may be, at the top or in its options."""
    nested = [value for value in body.values() if isinstance(value, dict)]
    return any(
        table.get(name) is not None for table in (body, *nested) for name in OUTPUT_LIMIT_KEYS
    )


class UnsupportedParameters:
    """Learns which parameters a server refuses; kept for the provider's later requests.

    `names`: profile key -> its place in the body.
    """

    def __init__(self, paths: Mapping[str, str], profile: Profile) -> None:
        self._paths = paths
        self._profile = profile
        self._default_paths = [paths[key] for key in profile.defaults() if key in paths]
        self._refused_paths: set[str] = set()
        self._renamed_limits: set[str] = set()

    def apply(self, request: Request) -> Request:
        """The request without what this server has refused before."""
        body = request.body or {}
        for name in self._renamed_limits:
            body = _swap_limit_name(body, name)
        for path in self._refused_paths:
            body = drop_json_path(body, path)
        return request if body is request.body else replace(request, body=body)

    def retry_without(self, request: Request, error: EasyLLMError) -> tuple[Request, str] | None:
        """The request to send instead and a note ("" = none), or None when nothing helps."""
        body = request.body or {}
        if not isinstance(error, RefusedError) or error.status not in PARAMETER_ERROR_STATUSES:
            return None
        soft = [path for path in self._default_paths if has_json_path(body, path)]
        if soft:
            self._refused_paths.update(soft)
            return self.apply(request), ""
        words = f"{error.parameter or ''} {error.message}"
        for place_in_body, option in JSON_MODE_OPTIONS.items():
            if has_json_path(body, place_in_body) and _mentions(words, place_in_body):
                error.hint = f"is the schema too much for it? -o {option} asks for JSON alone"
        if error.status not in (400, 422) or isinstance(error, TooLargeError):
            return None
        path = self._find_refused_path(error, body)
        if path is None:
            return None
        if path in OUTPUT_LIMIT_ALIASES and not self._renamed_limits:
            self._renamed_limits.add(path)
            return self.apply(request), ""
        if self._profile.strict and path not in SILENTLY_DROPPED_KEYS:
            return None
        self._refused_paths.add(path)
        if path in SILENTLY_DROPPED_KEYS:
            return self.apply(request), ""
        said = f" ({error.message})"  # why, and what would help: OpenAI names the page to go to
        return self.apply(request), f"{path} is refused by the server: sent without it{said}"

    def _find_refused_path(self, error: RefusedError, body: dict[str, Any]) -> str | None:
        """The place of the parameter that the server's words name, under either name."""
        words = f"{error.parameter or ''} {error.message}"
        known = {**self._paths, **{name: name for name in SILENTLY_DROPPED_KEYS}}
        if body.get("truncate") or re.search(r"(?i)context|exceed|too long", words):
            del known["truncate"]  # it is the prompt that is refused, or the user's own wish
        for path in known.values():
            for place_in_body in (path, OUTPUT_LIMIT_ALIASES.get(path, path)):
                if has_json_path(body, place_in_body) and _mentions(words, place_in_body):
                    return place_in_body
        if not re.search(r"think|reasoning", words, re.IGNORECASE):
            return None
        # Servers name thinking by many names; ours is the one that asks for it.
        asking = (path for key, path in known.items() if key.startswith("reasoning"))
        return next((path for path in asking if has_json_path(body, path)), None)


def _mentions(words: str, path: str) -> bool:
    """Whether an error names a parameter, in camelCase or snake_case."""
    last = path.rpartition(".")[2]
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last).lower()
    spelled = "|".join(re.escape(word) for word in {last, snake})
    found = re.search(rf"(?<![A-Za-z_])(?:{spelled})(?![A-Za-z_])", words, re.IGNORECASE)
    return found is not None


def _swap_limit_name(body: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy with the answer's limit under its other name."""
    if name not in body:
        return body
    return {OUTPUT_LIMIT_ALIASES.get(key, key) if key == name else key: body[key] for key in body}
