"""Ranks candidates by their facts: who may be asked, who comes first, and why. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config.profile import Profile
from ..errors import EasyLLMError, RefusedError, TooLargeError
from .facts import Facts
from .needs import USUAL_ANSWER_TOKENS, Needs

MAX_DOLLARS = float("inf")  # an unknown price is ranked behind every known one


class Row:
    """One candidate and what was decided about it.

    `problem`: why it cannot be asked, None = it can. `concerns`: why it is asked behind others.
    `unknowns`: how much of what matters is unknown about it. `why`: the decision in words.
    """

    def __init__(self, name: str, profile: Profile, facts: Facts, needs: Needs) -> None:
        self.name = name
        self.profile = profile
        self.facts = facts
        self.problem = facts.problem or _find_misfit(profile, facts, needs)
        self.concerns = [] if self.problem else _find_concerns(profile, facts, needs)
        self.unknowns = 0 if self.problem else _count_unknowns(profile, facts, needs)
        self.why = "" if self.problem is None else self.problem.message

    @property
    def ok(self) -> bool:
        """Whether it may be asked."""
        return self.problem is None

    def to_json(self) -> dict[str, Any]:
        """The row as in `route.table` of --json."""
        return {
            "profile": self.name,
            "ok": self.ok,
            "why": self.why,
            "usd": self.facts.usd,
            "seconds": self.facts.seconds,
        }


def rank_rows(
    rows: Sequence[Row],
    task: str,
    prefer: str = "order",
    strong: Mapping[str, str] | None = None,
    kept: str | None = None,
) -> list[Row]:
    """The rows in the order in which they are asked, then those that cannot be; sets each `why`.

    The first is the best by: recorded (only with --replay), `kept` (the candidate that this
    conversation has been held with), no concern, `strong` for the task, what is known of it,
    `prefer`, and the user's order. The others follow in the user's order, those with concerns
    last.
    """
    open_rows = [row for row in rows if row.ok]
    if not open_rows:
        return [*rows]
    keys = _preference_keys(open_rows, prefer)
    named = (strong or {}).get(task)

    def rank(row: Row) -> tuple[Any, ...]:
        return (
            not row.facts.is_recorded, row.name != kept, len(row.concerns), row.name != named,
            row.unknowns, keys[row.name],
        )  # fmt: skip

    first = min(open_rows, key=rank)
    first.why = _describe_first(first, task, prefer, named, kept)
    others = sorted(
        (row for row in open_rows if row is not first), key=lambda row: len(row.concerns)
    )
    for row in others:
        row.why = "; ".join(["if the one before fails", *row.concerns])
    return [first, *others, *(row for row in rows if not row.ok)]


def _preference_keys(rows: Sequence[Row], prefer: str) -> dict[str, float]:
    """By name, what `prefer` compares; lower is better, equal ones keep the user's order."""
    if prefer == "cheap":
        return {row.name: MAX_DOLLARS if row.facts.usd is None else row.facts.usd for row in rows}
    if prefer == "fast":
        known = sorted(row.facts.seconds for row in rows if row.facts.seconds is not None)
        middle = known[len(known) // 2] if known else 0.0  # of one that nobody has asked yet
        return {
            row.name: middle if row.facts.seconds is None else row.facts.seconds for row in rows
        }
    return dict.fromkeys((row.name for row in rows), 0.0)


def _describe_first(row: Row, task: str, prefer: str, named: str | None, kept: str | None) -> str:
    """Why a candidate is asked first."""
    facts = row.facts
    if facts.is_recorded:
        why = "its answer is recorded"
    elif row.name == kept:
        why = "it has answered in this conversation"
    elif row.name == named:
        why = f"strong.{task}"
    elif prefer == "cheap" and facts.usd is not None:
        why = "the cheapest"
    elif prefer == "fast" and facts.seconds is not None:
        why = "the fastest"
    else:
        why = "the first in candidates that fits"
    return "; ".join([why, *row.concerns])


def _find_misfit(profile: Profile, facts: Facts, needs: Needs) -> EasyLLMError | None:
    """Why the question cannot be sent to the model, as the profile or the server says."""
    if needs.has_images and facts.sees is False:
        return RefusedError(f"{profile.model or 'the model'} takes no images")
    is_sure = facts.context_source in ("profile", "server")
    if facts.context is not None and is_sure and needs.least_tokens > facts.context:
        return TooLargeError(
            f"the prompt has at least {needs.least_tokens} tokens, its context {facts.context}"
        )
    return None


def _find_concerns(profile: Profile, facts: Facts, needs: Needs) -> list[str]:
    """Why others are asked before it."""
    concerns = ["its server asked for a pause"] if facts.is_paused else []
    wanted = needs.prompt_tokens + (profile.output_limit() or USUAL_ANSWER_TOKENS)
    if facts.context is not None and wanted > facts.context:
        concerns.append(f"prompt and answer may not fit its context of {facts.context} tokens")
    if profile.think and facts.reasons is False:
        concerns.append("its model does not reason")
    return concerns


def _count_unknowns(profile: Profile, facts: Facts, needs: Needs) -> int:
    """How many facts that matter for this question are unknown."""
    return (
        (needs.has_images and facts.sees is None)
        + (needs.is_large and facts.context is None)
        + (bool(profile.think) and facts.reasons is None)
    )
