"""Reaches the provider's batches of an output, for `batch status` and `batch cancel`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..batch.row_selection import RowSelection
from ..batch.state import Header, running_process
from ..batch.submissions import Submission, Submissions
from ..errors import EasyLLMError
from ..providers import provider_for
from ..providers.batch_api import RUNNING, BatchAPI
from ..providers.batch_apis import batch_api_for
from .batch_request import request_from_arguments, resolve_batch
from .options.common import CommonOptions

STOP_SECONDS = 10.0  # in which a process that was told to stop has stopped
LOOK_SECONDS = 0.05


def read_batches(header: Header, output: Path) -> tuple[list[dict[str, Any]], EasyLLMError | None]:
    """How far the provider's batches are that are not collected yet, and why it does not say.

    Raises:
        EasyLLMError: the profile of the batch, or the list of batches, cannot be read.
    """
    submissions = Submissions(output)
    rows: list[dict[str, Any]] = [
        {"id": each.id, "rows": each.count, "status": None, "good": None, "failed": None}
        for each in submissions.open()
    ]

    async def ask(api: BatchAPI) -> None:
        for row in rows:
            if row["id"] is not None:
                state = await api.poll(row["id"])
                row |= {"status": state.word, "good": state.good, "failed": state.failed}

    return rows, _run(header, output, ask) if rows else None


def cancel_batches(
    header: Header, output: Path, on_cancelled: Callable[[str], object]
) -> list[str]:
    """Cancel every batch that is not collected yet; returns the ids of those that had not ended.

    `on_cancelled`: gets each of these ids at once. A process that works on the output was told to
    stop before, and is waited for: it may be giving the provider one more.
    Raises:
        EasyLLMError: the provider does not obey, which the other batches do not suffer from; or
            the list of batches cannot be read.
    """
    deadline = time.monotonic() + STOP_SECONDS
    while running_process(output) is not None and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    submissions = Submissions(output)
    cancelled: list[str] = []

    async def ask(api: BatchAPI) -> None:
        errors: list[EasyLLMError] = []
        for submission in submissions.open():
            try:
                batch_id = await _cancel(api, submissions, submission)
            except EasyLLMError as error:
                errors.append(error)
                continue
            if batch_id is not None:
                cancelled.append(batch_id)
                on_cancelled(batch_id)
        if errors:
            raise errors[0]

    error = _run(header, output, ask) if submissions.open() else None
    if error is not None:
        raise error
    return cancelled


async def _cancel(api: BatchAPI, submissions: Submissions, submission: Submission) -> str | None:
    """Cancel a batch; returns its id, or None if there is none that runs. Raises EasyLLMError."""
    batch_id = submission.id
    if batch_id is None:
        found = await api.find(submission.name, submission.count, submission.at)
        taken = submissions.ids() | submission.foreign
        batch_id = next((each.id for each in found if each.id not in taken), None)
    if batch_id is None:
        return None
    try:
        await api.cancel(batch_id)
    except EasyLLMError:
        if (await api.poll(batch_id)).state == RUNNING:
            raise
        return None  # it has ended, and cannot be cancelled any more
    return batch_id


def _run(header: Header, output: Path, ask: Callable[[BatchAPI], Any]) -> EasyLLMError | None:
    """Ask the batch API of the profile that the output was begun with; returns its error."""
    request = request_from_arguments(header, output, CommonOptions(), RowSelection())
    api = batch_api_for(provider_for(resolve_batch(request).profile))

    async def asked() -> None:
        try:
            await ask(api)
        finally:
            with suppress(EasyLLMError):
                await api.provider.aclose()

    try:
        asyncio.run(asked())
    except EasyLLMError as error:
        return error
    return None
