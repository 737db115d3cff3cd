"""What a batch would send: every line is read and checked, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..config.profile import Profile
from ..frozen_dataclass import FrozenDataclass
from ..limits.estimate import estimate_prompt_tokens
from ..limits.limiter import USUAL_ANSWER_TOKENS
from .input_file import InputFile
from .row_selection import RowSelection
from .rows import Row, RowReader
from .run_budget import estimate_cost

MAX_SHOWN_ERRORS = 5


class BatchEstimate(FrozenDataclass):
    """Numbers of a batch that was not sent.

    `answer_tokens`: `max_tokens` where it is set, else a guess. `cost_usd`: None = no price is
    known. `seconds`: at the profile's `rpm` and `tpm`; None = it sets neither.
    """

    rows: int
    bad_rows: int
    errors: tuple[str, ...]
    prompt_tokens: int
    answer_tokens: int
    cost_usd: float | None
    seconds: float | None


def estimate_batch(
    source: InputFile, reader: RowReader, selection: RowSelection, profiles: Sequence[Profile]
) -> BatchEstimate:
    """Read every row. Raises UsageError if the input cannot be read."""
    rows = bad_rows = prompt_tokens = answer_tokens = 0
    errors: list[str] = []
    cost: float | None = 0.0
    for row in _selected_rows(source, reader, selection):
        rows += 1
        if row.error is not None:
            bad_rows += 1
            errors += [str(row.error)] if len(errors) < MAX_SHOWN_ERRORS else []
            continue
        profile = row.settings.apply(profiles[0])
        answer = profile.max_tokens or USUAL_ANSWER_TOKENS
        prompt_tokens += estimate_prompt_tokens(row.messages)
        answer_tokens += answer
        if cost is not None:
            row_cost = estimate_cost(row.messages, answer, profiles)
            cost = None if row_cost is None else cost + row_cost
    return BatchEstimate(
        rows, bad_rows, tuple(errors), prompt_tokens, answer_tokens, cost,
        _seconds_at_limits(profiles[0], rows - bad_rows, prompt_tokens + answer_tokens),
    )  # fmt: skip


def _selected_rows(source: InputFile, reader: RowReader, selection: RowSelection) -> Iterator[Row]:
    for index, line in enumerate(source.lines()):
        if selection.limit is not None and index >= selection.limit:
            return
        if selection.has(index):
            yield reader.read(index, line)


def _seconds_at_limits(profile: Profile, rows: int, tokens: int) -> float | None:
    """The time that the profile's limits allow at best; None = it has no such limit."""
    minutes = []
    if isinstance(profile.rpm, int):
        minutes.append(rows / profile.rpm)
    if profile.tpm is not None:
        minutes.append(tokens / profile.tpm)
    return max(minutes) * 60 if minutes else None
