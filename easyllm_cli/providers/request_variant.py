"""Resends a refused request with or without streaming, a system message or a schema of choices.

Some servers do not stream, some only stream, and some models take no system message or no schema.
"""

from __future__ import annotations

import re
from typing import Any

from ..config.profile import Profile
from ..errors import EasyLLMError, RefusedError
from ..messages import Message, merge_into_user_message, with_choices_instruction

# Statuses about the key, billing, a missing model, a limit or an outage, not the request's form.
UNRELATED_STATUSES = (401, 402, 404, 408, 409, 413, 425, 429, 502, 503, 504)
STREAM_PATTERN = r"(?i)(?<![\w])(?:non-?)?stream(?:s|ed|ing)?(?!\w)"
STREAM_ONLY_PATTERN = (
    r"(?i)non-?stream|\bonly\b.{0,40}\bstream|\b(?:requires?|enable|needs?)\b.{0,20}\bstream"
    r"|\bmust\b(?!.{0,20}(?:verified|\bnot\b)).{0,40}\bstream"
    r"|\bstream\w*\b.{0,30}(?:\bonly\b|required|must be (?:set to )?.?true)"
)
REFUSAL_PATTERN = (
    r"(?i)not\b|n't|unsupported|disabled|unable|verified|permi|must be (?:set to )?.?false"
)
SYSTEM_TEXT_PATTERN = (
    r"(?i)(?:system|developer)[ _'\"`]*(?:role|instruction|prompt|message)"
    r"|role\W{0,3}(?:system|developer)|messages\[\d+\]\.role|roles must alternate"
    r"|only user and assistant roles"
)
SCHEMA_PATTERN = (
    r"(?i)schema|response[_ ]?format|structured[_ ]?output|output_(?:format|config)|grammar"
    r"|json[_ -]?(?:mode|object)|[.'\"`]format\b"
)
SYSTEM_ROLES = ("system", "developer")


class RequestVariant:
    """Learns which form of a request the server accepts, for all later requests of the provider.

    With the profile's `strict` system text is not moved into the user message, and a schema is not
    replaced. `schema`: what to send as the JSON schema of the answer; None = none.
    """

    def __init__(self, profile: Profile) -> None:
        self._strict = bool(profile.strict)
        self._choices = profile.choices
        self.schema: dict[str, Any] | None = profile.schema
        self._choices_in_words = False
        self._stream_override: bool | None = None
        self._takes_system_text = True

    def apply(self, messages: list[Message], stream: bool) -> tuple[list[Message], bool]:
        """The messages, and whether to stream, in the form that the server accepts."""
        if self._choices_in_words and self._choices:
            messages = with_choices_instruction(messages, self._choices)
        if not self._takes_system_text:
            messages = merge_into_user_message(messages, SYSTEM_ROLES)
        return messages, stream if self._stream_override is None else self._stream_override

    def learn(self, error: EasyLLMError, messages: list[Message], stream: bool) -> str:
        """Choose another form after an error. Returns a note; "" = the form is not the problem.

        `messages`, `stream`: as they were sent. Each form is tried once.
        """
        about_form = error.status not in UNRELATED_STATUSES and (
            error.status is not None or isinstance(error, RefusedError)
        )
        if not about_form:
            return ""
        if self._stream_override is None and _is_about_streaming(error, stream):
            self._stream_override = not stream
            if stream:
                return f"the server does not stream: sent again without streaming ({error.message})"
            return f"the server only streams: sent again with streaming ({error.message})"
        has_choices = self.schema is not None and self._choices and not self._strict
        if has_choices and re.search(SCHEMA_PATTERN, _words(error)):
            self.schema, self._choices_in_words = None, True
            return f"the server takes no schema: the choices are sent in words ({error.message})"
        has_system = any(message.role in SYSTEM_ROLES for message in messages)
        if has_system and not self._strict and _is_about_system(error.message):
            self._takes_system_text = False
            return (
                "the model takes no system message: sent as part of the user's message "
                f"({error.message})"
            )
        return ""


def _words(error: EasyLLMError) -> str:
    """The refused parameter, if the server named it, and the message."""
    parameter = error.parameter if isinstance(error, RefusedError) else None
    return f"{parameter or ''} {error.message}"


def _is_about_streaming(error: EasyLLMError, stream: bool) -> bool:
    """Whether the error asks to switch streaming on or off. `stream`: as it was sent."""
    parameter = error.parameter if isinstance(error, RefusedError) else None
    if parameter not in (None, "", "stream") or "stream_options" in error.message:
        return False
    if parameter == "stream":
        return True
    if not re.search(STREAM_PATTERN, error.message):
        return False
    only_streams = re.search(STREAM_ONLY_PATTERN, error.message) is not None
    if not stream:
        return only_streams
    if re.search(r"(?i)\bonly\b.{0,20}non-?stream", error.message):
        return True
    return not only_streams and re.search(REFUSAL_PATTERN, error.message) is not None


def _is_about_system(message: str) -> bool:
    """Whether an error message refuses the system message."""
    return re.search(SYSTEM_TEXT_PATTERN, message) is not None and (
        re.search(r"(?i)\bnot?\b|n't|unsupported|only|unknown|invalid|must", message) is not None
    )
