"""Submits a batch once: what is not known after a failure is looked up, not repeated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ..errors import BusyError, EasyLLMError, MalformedAnswer, NetworkError
from ..frozen_dataclass import FrozenDataclass
from ..providers.batch_api import BatchAPI
from .submissions import Submission, SubmissionFile

# Statuses of 4xx after which the request may have been obeyed all the same.
UNCERTAIN_STATUSES = (408, 409)
# Statuses that a provider answers with when the uploaded file is gone; Gemini says 403.
FILE_GONE_STATUSES = (400, 403, 404)


class Delays(FrozenDataclass):
    """Times in seconds.

    `first`, `longest` and `growth`: between two looks at a batch. `visible`: after which a new
    batch is in the provider's list. `patience`: for failures that may pass.
    """

    first: float = 30.0
    longest: float = 300.0
    growth: float = 1.5
    visible: float = 20.0
    patience: float = 1800.0


def is_passing(error: EasyLLMError) -> bool:
    """Whether a failure of a request about a batch may pass by itself."""
    return error.retryable or isinstance(error, NetworkError | BusyError | MalformedAnswer)


def is_certain(error: EasyLLMError) -> bool:
    """Whether a failed request to create a batch has created none."""
    status = error.status or 0
    return 400 <= status < 500 and status not in UNCERTAIN_STATUSES


class BatchCreator:
    """Creates batches, and finds those whose id is not known."""

    def __init__(self, api: BatchAPI, submissions: SubmissionFile, delays: Delays) -> None:
        self._api = api
        self._submissions = submissions
        self._delays = delays

    async def create(self, submission: Submission, rows: Sequence[bytes]) -> None:
        """Submit a batch whose intent was written down.

        Raises:
            EasyLLMError: it was not created; or nobody knows, and the next run finds out.
        """
        deadline = time.monotonic() + self._delays.patience
        is_old_file = submission.sha256 in self._submissions.uploads
        while True:
            try:
                file_id = await self._upload(submission, rows)
            except EasyLLMError as error:
                await self._wait_or_raise(submission, error, deadline, is_known=True)
                continue
            try:
                state = await self._api.create(submission.name, rows, file_id)
            except EasyLLMError as error:
                if is_old_file and error.status in FILE_GONE_STATUSES:
                    self._submissions.uploads.pop(submission.sha256, None)
                    is_old_file = False
                    continue  # with a new file: providers delete them after some time
                is_known = is_certain(error)
                await self._wait_or_raise(submission, error, deadline, is_known=is_known)
                if not is_known and await self.find_patiently(submission, deadline):
                    return
            else:
                self._submissions.created(submission, state.id)
                return

    async def find(self, submission: Submission) -> bool:
        """Look for a batch that may have been created; returns whether there is one.

        Raises:
            EasyLLMError: the provider does not say.
        """
        while True:
            age = time.time() - submission.at
            found = await self._api.find(submission.name, submission.count, submission.at)
            taken = self._submissions.ids() | submission.foreign
            for state in found:
                if state.id not in taken:
                    is_guess = not self._api.finds_by_name
                    self._submissions.created(submission, state.id, is_guess=is_guess)
                    return True
            if not 0 <= age < self._delays.visible:
                return False
            await asyncio.sleep(min(self._delays.visible - age + 0.01, self._delays.first))

    async def _upload(self, submission: Submission, rows: Sequence[bytes]) -> str:
        """The id of the file with the rows; one that was uploaded before is used again."""
        if not self._api.needs_upload:
            return ""
        known = self._submissions.uploads.get(submission.sha256)
        if known is not None:
            return known
        file_id = await self._api.upload(submission.name, rows)
        self._submissions.uploaded(submission, file_id)
        return file_id

    async def find_patiently(self, submission: Submission, deadline: float | None = None) -> bool:
        """As `find`; tries again while the provider does not answer.

        `deadline`: on the monotonic clock; None = after the usual patience.
        """
        deadline = deadline or time.monotonic() + self._delays.patience
        while True:
            try:
                return await self.find(submission)
            except EasyLLMError as error:
                await self._wait_or_raise(submission, error, deadline, is_known=False)

    async def _wait_or_raise(
        self, submission: Submission, error: EasyLLMError, deadline: float, *, is_known: bool
    ) -> None:
        """Wait before the next try, or raise the error if there is no point in one.

        `is_known`: whether it is certain that there is no batch.
        """
        pause = error.retry_after if error.retry_after is not None else self._delays.first
        if is_passing(error) and time.monotonic() + pause < deadline:
            await asyncio.sleep(pause)
            return
        if is_known:
            self._submissions.over(submission, error.kind, processed=False)
        raise error
