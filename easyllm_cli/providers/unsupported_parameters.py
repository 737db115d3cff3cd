"""Learns which body fields a server refuses; drops them, or renames max_tokens, for a retry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..config.profile import Profile, find_output_limits
from ..config.settings import OUTPUT_LIMIT_KEYS
from ..errors import EasyLLMError, RefusedError, TooLargeError
from ..transport.base import Request

PARAMETER_ERROR_STATUSES = (400, 413, 422)
# OpenAI's newer models refuse max_tokens and compatible servers may know nothing else: if one name
# is refused, the other is tried.
OUTPUT_LIMIT_ALIASES = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
# A schema is never left out. The hint names the option that asks for JSON without a schema.
JSON_MODE_OPTIONS = {
    "response_format": """response_format='{"type": "json_object"}'""",
    "text.format": """text='{"format": {"type": "json_object"}}'""",
    "format": "format=json",
    "generationConfig.responseSchema": "responseSchema=null",
    "generationConfig.responseJsonSchema": "responseJsonSchema=null",
}
# Set by the adapters, not by the user: left out without a note.
SILENTLY_DROPPED_KEYS = ("stream_options", "store", "include", "truncate")


def set_json_path(body: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b.c` in nested objects; creates missing ones."""
    *parents, last = path.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[last] = value


def drop_json_path(body: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy without `a.b.c` and without objects that become empty."""
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
    """Whether the nested objects contain `a.b.c`."""
    for part in path.split("."):
        if not isinstance(body, dict) or part not in body:
            return False
        body = body[part]
    return True


def has_output_limit(body: Mapping[str, Any]) -> bool:
    """Whether a request limits the answer's length."""
    return any(limit is not None for limit in find_output_limits(body))


class UnsupportedParameters:
    """Learns which parameters a server refuses, for all later requests of the provider.

    `paths`: setting -> its path in the body.
    """

    def __init__(self, paths: Mapping[str, str], profile: Profile) -> None:
        self._paths = paths
        self._profile = profile
        self._default_paths = [paths[key] for key in profile.defaults() if key in paths]
        self._refused_paths: set[str] = set()
        self._renamed_limits: set[str] = set()

    def apply(self, request: Request) -> Request:
        """The request without the parameters that the server has refused before."""
        body = request.body or {}
        for name in self._renamed_limits:
            body = _swap_limit_name(body, name)
        for path in self._refused_paths:
            body = drop_json_path(body, path)
        return request if body is request.body else replace(request, body=body)

    def retry_without(
        self, request: Request, error: EasyLLMError, keeps_limit: bool = False
    ) -> tuple[Request, str] | None:
        """The request to send instead and a note ("" = none); None = no change can help.

        Default values are left out first, all at once and without a note. With `strict`, what the
        user has set is never left out. A refused schema only changes the error's hint.
        `keeps_limit`: a budget relies on the limit of the answer, so that it is never left out.
        """
        body = request.body or {}
        if not isinstance(error, RefusedError) or error.status not in PARAMETER_ERROR_STATUSES:
            return None
        defaults = [
            path
            for path in self._default_paths
            if has_json_path(body, path) and not (keeps_limit and _is_output_limit(path))
        ]
        if defaults:
            self._refused_paths.update(defaults)
            return self.apply(request), ""
        words = f"{error.parameter or ''} {error.message}"
        for schema_path, option in JSON_MODE_OPTIONS.items():
            if has_json_path(body, schema_path) and _mentions(words, schema_path):
                error.hint = f"the schema may not be supported: -o {option} asks for JSON alone"
        if error.status not in (400, 422) or isinstance(error, TooLargeError):
            return None
        path = self._find_refused_path(error, body)
        if path is None:
            return None
        if path in OUTPUT_LIMIT_ALIASES and not self._renamed_limits:
            self._renamed_limits.add(path)
            return self.apply(request), ""
        if keeps_limit and _is_output_limit(path):
            error.hint = "a budget needs a limit of the answer: set a lower --max-tokens"
            return None
        return self.leave_out(path, request, error)

    def leave_out(
        self, path: str, request: Request, error: EasyLLMError
    ) -> tuple[Request, str] | None:
        """The request without a refused parameter, and a note; None = `strict` forbids it."""
        if self._profile.strict and path not in SILENTLY_DROPPED_KEYS:
            return None
        self._refused_paths.add(path)
        if path in SILENTLY_DROPPED_KEYS:
            return self.apply(request), ""
        reason = f" ({error.message})"  # it may say what to do: OpenAI names a page
        return self.apply(request), f"{path} is refused by the server: sent without it{reason}"

    def _find_refused_path(self, error: RefusedError, body: dict[str, Any]) -> str | None:
        """The path in the body of the parameter that the error names, by either of its names."""
        words = f"{error.parameter or ''} {error.message}"
        known = {**self._paths, **{name: name for name in SILENTLY_DROPPED_KEYS}}
        if body.get("truncate") or re.search(r"(?i)context|exceed|too long", words):
            del known["truncate"]  # the prompt is too long, or the user set it
        for path in known.values():
            for candidate in (path, OUTPUT_LIMIT_ALIASES.get(path, path)):
                if has_json_path(body, candidate) and _mentions(words, candidate):
                    return candidate
        if not re.search(r"think|reasoning", words, re.IGNORECASE):
            return None
        # Servers use many names for reasoning: take the path of the setting `reasoning`.
        reasoning_paths = (path for key, path in known.items() if key.startswith("reasoning"))
        return next((path for path in reasoning_paths if has_json_path(body, path)), None)


def _mentions(words: str, path: str) -> bool:
    """Whether an error message names a parameter, in camelCase or snake_case."""
    last = path.rpartition(".")[2]
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last).lower()
    spellings = "|".join(re.escape(word) for word in {last, snake})
    match = re.search(rf"(?<![A-Za-z_])(?:{spellings})(?![A-Za-z_])", words, re.IGNORECASE)
    return match is not None


def _is_output_limit(path: str) -> bool:
    return path.rpartition(".")[2] in OUTPUT_LIMIT_KEYS


def _swap_limit_name(body: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy with the output limit `name` under its other name."""
    if name not in body:
        return body
    return {OUTPUT_LIMIT_ALIASES.get(key, key) if key == name else key: body[key] for key in body}
