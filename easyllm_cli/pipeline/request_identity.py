"""Tells the request of a call apart from others: by what would be sent, without sending it."""

from __future__ import annotations

import os

from ..config.profile import Profile
from ..messages import Message
from ..recordings.key import RequestIdentity
from .call import Call
from .source import Source


def identify_request(source: Source, messages: list[Message]) -> RequestIdentity:
    """The identity of the request that would carry these messages."""
    profile = source.profile
    return RequestIdentity(
        profile.provider or "", source.model, source.request_key(messages),
        headers=[_header_values(profile), profile.organization, profile.project],
        prompt=messages[-1].text if messages else "",
    )  # fmt: skip


def identify_first_request(call: Call) -> RequestIdentity:
    """The request of the source's first attempt, for its retries, too.

    An attempt may set the source's model and limits; a replay makes none, so that its retries ask
    for the first request again.
    """
    source = call.source
    assert source is not None
    if call.recorded_request is None or call.recorded_request[0] is not source:
        call.recorded_request = source, identify_request(source, call.request_messages)
    return call.recorded_request[1]


def _header_values(profile: Profile) -> dict[str, str | None]:
    """The profile's `headers` as they are sent; None = the variable of `env:NAME` is not set."""
    return {
        name: os.environ.get(value[4:]) if value.startswith("env:") else value
        for name, value in (profile.headers or {}).items()
    }
