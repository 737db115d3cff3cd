"""How fast candidates have answered, from the history; for `prefer = "fast"` and --explain."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.profile import Profile
from ..errors import EasyLLMError
from ..history import history_path
from ..history.report import TIMED, percentile, tokens_per_second
from ..history.store import Row, open_store

NEWEST_CALLS = 500  # of the history that are looked at
CALLS_OF_EACH = 50
ANSWER_TOKENS = 300
COLUMNS = "profile, model, ms, ms_first_token, completion_tokens, complete"


def measure_answer_seconds(profiles: Sequence[Profile]) -> list[float | None]:
    """For each profile the median time of 300 tokens, first token included; None = unknown.

    Of its last 50 streamed answers among the newest 500 calls of the history.
    """
    calls = _newest_calls()
    return [_answer_seconds(profile, calls) for profile in profiles]


def _newest_calls() -> list[Row]:
    """The newest calls that were timed, the newest first; none where there is no history."""
    try:
        with open_store(history_path(), create=False) as store:
            return store.select(
                f"SELECT {COLUMNS} FROM call"
                f" WHERE n > (SELECT MAX(n) FROM call) - {NEWEST_CALLS} AND {TIMED}"
                " AND ms_first_token IS NOT NULL ORDER BY n DESC"
            )
    except (EasyLLMError, FileNotFoundError):  # it is unreadable, or there is none
        return []


def _answer_seconds(profile: Profile, calls: Sequence[Row]) -> float | None:
    mine = [
        call for call in calls
        if call["profile"] == profile.name and profile.model in (None, call["model"])
    ]  # fmt: skip
    seconds = [
        call["ms_first_token"] / 1000 + ANSWER_TOKENS / rate
        for call in mine[:CALLS_OF_EACH]
        if (rate := tokens_per_second(call))
    ]
    return percentile(seconds, 50)
