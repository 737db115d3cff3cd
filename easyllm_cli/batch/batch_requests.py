"""The requests of rows for a provider's batch API, gathered until a batch is full."""

from __future__ import annotations

import re
from copy import copy
from hashlib import sha256
from typing import cast

from ..errors import TooLargeError
from ..messages import with_system_prompt
from ..pipeline.call import Call
from ..providers.batch_api import BatchAPI
from ..providers.http import HTTPProvider
from .rows import Row

# Ours, not the input's: providers limit its length and characters, and refuse one that comes twice.
CUSTOM_ID = "r{:06}-{}"
CUSTOM_ID_PATTERN = re.compile(r"r(\d{6,})-(\w+)")


def format_custom_id(row: int, run_id: str) -> str:
    return CUSTOM_ID.format(row, run_id)


def parse_custom_id(text: str, run_id: str) -> int | None:
    """The row of a `custom_id`; None = it is not of this run."""
    match = CUSTOM_ID_PATTERN.fullmatch(text)
    return int(match[1]) if match and match[2] == run_id else None


async def format_request(api: BatchAPI, call: Call, row: Row, run_id: str) -> bytes:
    """The request for a row, as a single one has it but for `stream`.

    `call`: of RowAsker, which knows the provider for the row's settings.
    Raises:
        EasyLLMError: the provider cannot send the row.
        TooLargeError: it does not fit in any batch.
    """
    provider = copy(cast(HTTPProvider, call.find_sources()[0]))  # it keeps its key for all rows
    messages = with_system_prompt(row.messages, provider.profile.system)
    provider.refuse_unsupported(messages)
    messages, _ = await provider.prepare(messages)
    request = provider.unsupported_parameters.apply(provider.request(messages, False))
    body = {name: value for name, value in (request.body or {}).items() if name != "stream"}
    line = api.format_row(format_custom_id(row.index, run_id), body)
    if len(line) >= api.max_bytes:
        raise TooLargeError(
            f"the request is larger than a batch may be ({api.max_bytes:,} bytes)",
            hint="use --via live",
        )
    return line


class BatchRequests:
    """The requests of one batch. `max_rows`: None = as many as the API takes."""

    def __init__(self, api: BatchAPI, max_rows: int | None = None) -> None:
        self.rows: list[int] = []
        self.lines: list[bytes] = []
        self._max_rows = min(api.max_rows, max_rows or api.max_rows)
        self._max_bytes = api.max_bytes
        self._bytes = 0

    def add(self, row: Row, line: bytes) -> bool:
        """Add the request of a row; returns False if the batch is full."""
        size = len(line) + 1
        if len(self.rows) >= self._max_rows or self._bytes + size > self._max_bytes:
            return False
        self.rows.append(row.index)
        self.lines.append(line)
        self._bytes += size
        return True

    def sha256(self) -> str:
        """The hash of all requests."""
        digest = sha256()
        for line in self.lines:
            digest.update(line + b"\n")
        return digest.hexdigest()
