"""Keys of requests: whatever is sent is in the key, so that no option can be forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from .line_format import FORMAT_VERSION

MAX_PROMPT_CHARS = 200  # of a recording: enough to recognize the request
MAX_DEPTH = 3
ADDRESS_FIELDS = ("method", "url")


class RequestIdentity:
    """The parts of a request that its recording and its cache entry are found by.

    `request`: all that decides the answer, without keys (`Source.request_key`). `headers`: the
    profile's own, which are no part of `request`. `prompt`: the text of the last message.
    """

    def __init__(
        self,
        provider: str,
        model: str,
        request: Mapping[str, Any],
        *,
        headers: Any = None,
        prompt: str = "",
    ) -> None:
        self.provider = provider
        self.model = model
        self.request = request
        self.headers = headers
        self.prompt = prompt

    @property
    def cache_key(self) -> str:
        """The key of an answer in the cache, as 64 hexadecimal digits; the endpoint counts."""
        return _digest([self.provider, self.model, self.request, self.headers])

    @property
    def replay_key(self) -> str:
        """The key of a recorded attempt; on another machine the endpoint may be another one."""
        return _digest([self.provider, self.model, self._content()])

    def describe(self) -> dict[str, Any]:
        """What a recording says of its request: for people, and to find the nearest one.

        `fields`: numbers of the request as they are, and of all else 8 digits of its digest.
        """
        return {
            "provider": self.provider,
            "model": self.model,
            "prompt": self.prompt[:MAX_PROMPT_CHARS],
            "fields": dict(_flatten(self._content())),
        }

    def _content(self) -> dict[str, Any]:
        """The request without its address, as `body` or, without a wire, as `profile`."""
        content = {key: value for key, value in self.request.items() if key not in ADDRESS_FIELDS}
        if isinstance(profile := content.get("profile"), Mapping):
            content["profile"] = {key: profile[key] for key in profile if key != "endpoint"}
        return content


def _digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, with the version of the format."""
    text = json.dumps([FORMAT_VERSION, value], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _flatten(content: Mapping[str, Any], depth: int = 1) -> Iterator[tuple[str, Any]]:
    """The fields inside `body` or `profile`, each under its own name: `temperature`, `seed`.

    A field of an inner object is named with its parent: `generationConfig.seed`.
    """
    for name, value in content.items():
        if isinstance(value, Mapping) and depth <= MAX_DEPTH:
            prefix = "" if depth == 1 else f"{name}."
            for inner, each in _flatten(value, depth + 1):
                yield prefix + inner, each
        elif value is not None:
            is_plain = isinstance(value, int | float)  # true and false, too
            yield name, value if is_plain else _digest(value)[:8]
