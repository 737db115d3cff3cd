"""Several keys for one vendor: the order in which they are tried, and which one rests."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence

from ..errors import BusyError, EasyLLMError
from ..secret import Secret

REST = 60.0  # seconds that a failed key comes last, unless the server says how long


class Keys:
    """The keys of one provider; a number names a key, from 0."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self.all = tuple(keys)
        self._rests_until: dict[int, float] = {}

    def order(self, chosen: int) -> list[int]:
        """Every key once (one number where there are none): the chosen one first, those that
        failed a short while ago last."""
        now = time.monotonic()
        numbers = range(max(1, len(self.all)))
        return sorted(
            numbers, key=lambda one: (self._rests_until.get(one, 0.0) > now, one != chosen)
        )

    def blames(self, number: int, error: EasyLLMError) -> bool:
        """Whether the error is about the key and not about the server; such a key rests."""
        if isinstance(error, BusyError) and error.status != 429:
            return False
        self._rests_until[number] = time.monotonic() + (error.retry_after or REST)
        return True


def variables_keys() -> list[Secret]:
    """What the environment holds that looks like a key: litellm reads a vendor's by itself, and
    while a Secret of it lives it is cut out of every text."""
    names = re.compile(r"(API_KEY|_TOKEN|_SECRET|ACCESS_KEY)\d*$")
    return [Secret(value) for name, value in os.environ.items() if names.search(name) and value]


def foreign_headers() -> dict[str, str | Secret]:
    """Empties the headers that the openai package takes from variables whatever the endpoint:
    they are meant for OpenAI (WIRE §1h, trap 25). Spelled as there: a header in other capitals
    would stand beside it."""
    names = [
        header
        for header, variables in (
            ("OpenAI-Organization", ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION")),
            ("OpenAI-Project", ("OPENAI_PROJECT_ID",)),
        )
        if any(os.environ.get(variable) for variable in variables)
    ]
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    names += [line.partition(":")[0].strip() for line in lines if ":" in line]
    return dict.fromkeys(names, "")
