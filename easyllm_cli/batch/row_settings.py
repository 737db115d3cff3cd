"""The settings that a row has of its own, under the names of Chat Completions' body."""

from __future__ import annotations

import json
from typing import Any

from ..config.profile import Profile, validate_setting
from ..errors import ConfigError, UsageError

# Field of a body: the setting of a profile.
FIELDS = {
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop",
    "reasoning_effort": "reasoning",
}
NO_EFFORT = "none"  # OpenAI's word for `reasoning = "off"`
# Fields that a batch cannot use, and the values with which they mean nothing.
REFUSED_FIELDS = {
    "tools": (None, []),
    "tool_choice": (None, "none"),
    "functions": (None, []),
    "function_call": (None, "none"),
    "n": (None, 1),
    "stream": (None, False),
    "stream_options": (None,),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
}
# Fields by which a gateway such as LiteLLM would ask another server, or with another key.
GATEWAY_FIELDS = ("api_key", "api_base", "base_url", "extra_headers")


class RowSettings:
    """Changes to the profile for one row.

    `changes`: settings and their values. `options`: more fields of the request. `schema`: the JSON
    schema that the answer must fit; None = none.
    """

    __slots__ = ("changes", "options", "schema")

    def __init__(
        self,
        changes: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
    ) -> None:
        self.changes = changes or {}
        self.options = options or {}
        self.schema = schema

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.options or self.schema)

    def identity(self) -> str:
        """The same text for the same settings; "" = none."""
        if self.is_empty:
            return ""
        return json.dumps([self.changes, self.options, self.schema], sort_keys=True)

    def apply(self, profile: Profile) -> Profile:
        """The profile with these settings."""
        if self.is_empty:
            return profile
        if self.schema is not None:  # instead of what --choices asks for
            profile = profile.__replace__(choices=None)
        options = {**(profile.options or {}), **self.options} if self.options else None
        return profile.replace_set(**self.changes, options=options, schema=self.schema)


def split_settings(
    fields: dict[str, Any], *, keeps_unknown: bool
) -> tuple[RowSettings, dict[str, Any]]:
    """The settings among a line's fields, and the other fields.

    `keeps_unknown`: an unknown field is another field; else it is one of the request.
    Raises:
        UsageError: a value is wrong, or a field is not for batch.
    """
    changes: dict[str, Any] = {}
    options: dict[str, Any] = {}
    schema: dict[str, Any] | None = None
    other: dict[str, Any] = {}
    for name, value in fields.items():
        if name in FIELDS:
            if value is not None:
                changes[FIELDS[name]] = _check_setting(name, value)
        elif name == "response_format":
            schema, option = _read_response_format(value)
            options |= option
        elif name in REFUSED_FIELDS:
            if value not in REFUSED_FIELDS[name]:
                raise UsageError(f"{name} is not for batch", hint="leave it out")
        elif name in GATEWAY_FIELDS and not keeps_unknown:
            raise UsageError(f"{name} is not for a row", hint="set it in the profile")
        else:
            (other if keeps_unknown else options)[name] = value
    return RowSettings(changes, options, schema), other


def _check_setting(name: str, value: Any) -> Any:
    """The value as the profile stores it. Raises UsageError if it is wrong."""
    if name == "reasoning_effort" and value == NO_EFFORT:
        value = "off"
    try:
        return validate_setting(FIELDS[name], value)
    except ConfigError as error:
        raise UsageError(error.message, hint=error.hint) from None


def _read_response_format(value: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The JSON schema, and the options, that a `response_format` asks for."""
    kind = value.get("type") if isinstance(value, dict) else None
    if value is None or kind == "text":
        return None, {}
    if kind == "json_object":
        return None, {"response_format": value}
    described = value.get("json_schema") if kind == "json_schema" else None
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise UsageError("response_format is not known", hint="text, json_object or json_schema")
    return schema, {}
