"""Automatic choice: which candidate of an auto profile gets a question, decided without a request.

`task.py` recognizes the task of the prompt (data: `cues.py`, `words.py`; text: `reading.py`).
`needs.py` says what the question asks of a model, `facts.py` what is known of each candidate
(`speeds.py` from the history, `recorded.py` from a recording). `ranking.py` puts them in order. The
first one is asked; the others are its fallbacks, so retries and fallbacks work as for every
profile. Nobody else is ever asked. The same question, facts and day give the same choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..config.auto_profile import candidate_names
from ..config.profile import Profile
from ..errors import AuthError, BudgetError, EasyLLMError, UsageError
from ..messages import Message, with_system_prompt
from .facts import find_facts
from .needs import Needs
from .ranking import Row, rank_rows
from .task import find_task

if TYPE_CHECKING:
    from ..pipeline.call import Call
    from ..recordings.file import Recording

DEFAULT_CHECKS = ("incomplete",)  # of `escalate`
# The error where nobody can be asked, if all have the same reason; else UsageError.
SHARED_ERRORS = (AuthError, BudgetError)


class Route:
    """A choice. `rows`: the candidates in the order in which they are asked, then those that cannot
    be. `task`, `reasons`: the recognized task, and why.
    """

    def __init__(self, auto: Profile, task: str, reasons: list[str], rows: list[Row]) -> None:
        self.auto = auto
        self.task = task
        self.reasons = reasons
        self.rows = rows

    @property
    def profiles(self) -> list[Profile]:
        """The profiles to ask, in order; without any, `require_candidate` says why."""
        return [row.profile for row in self.rows if row.ok]

    def require_candidate(self) -> None:
        """Raise if no candidate can be asked.

        Raises:
            AuthError: every key is missing. BudgetError: every budget is used up.
            UsageError: nobody fits, for different or other reasons.
        """
        if self.profiles:
            return
        problems = [row.problem for row in self.rows if row.problem is not None]
        shared = [each for each in SHARED_ERRORS if all(isinstance(it, each) for it in problems)]
        error_class: type[EasyLLMError] = shared[0] if shared else UsageError
        raise error_class(
            "none of the candidates can be asked",
            where=f"profile {self.auto.name}",
            hint=self._describe_problems(),
        )

    def _describe_problems(self) -> str:
        named = [(row.name, row.problem) for row in self.rows if row.problem is not None]
        return "; ".join(f"{name}: {problem.message}" for name, problem in named)

    def apply(self, call: Call) -> None:
        """Tell the record of the answer how its profile was chosen, and when the next is asked."""
        call.route = self.to_json()
        escalate = self.auto.escalate
        call.escalate = DEFAULT_CHECKS if escalate is None else escalate

    def to_json(self) -> dict[str, Any]:
        """The object `route` of --json."""
        chosen = next((row.name for row in self.rows if row.ok), None)
        return {
            "profile": self.auto.name,
            "task": self.task,
            "reasons": self.reasons,
            "chosen": chosen,
            "table": [row.to_json() for row in self.rows],
        }


def choose_route(
    auto: Profile,
    profiles: Sequence[Profile],
    messages: Sequence[Message],
    *,
    kept: tuple[str, str | None] | None = None,
    recording: Recording | None = None,
    with_estimates: bool = False,
) -> Route:
    """Choose among the candidates of an auto profile. Sends nothing.

    `profiles`: those of `find_candidates`, as they will be asked. `kept`: the profile and the model
    with which the conversation was held so far, None = it begins. `recording`: what --replay
    answers from. `with_estimates`: find cost and speed of the candidates even if `prefer` does not
    compare them.
    Raises:
        UsageError: the recording cannot be read. ConfigError: it holds something else.
    """
    plain_needs = Needs(messages)
    task, reasons = find_task(plain_needs.prompt)
    prefer = auto.prefer or "order"
    with_cost = with_estimates or prefer == "cheap"
    if prefer == "cheap":
        _require_price_table()
    rows = []
    for name, profile in zip(candidate_names(auto), profiles, strict=True):
        own_messages = with_system_prompt([*messages], profile.system)
        needs = Needs(own_messages) if profile.system else plain_needs
        facts = find_facts(profile, needs, with_cost=with_cost, is_replay=recording is not None)
        if recording is not None:
            from .recorded import is_recorded

            facts.is_recorded = is_recorded(recording, profile, needs.messages)
        rows.append(Row(name, profile, facts, needs))
    if with_estimates or prefer == "fast":
        _measure_speeds(rows)
    rows = rank_rows(rows, task, prefer, auto.strong, _find_kept(rows, kept))
    return Route(auto, task, reasons, rows)


def _require_price_table() -> None:
    """Make the price table if there is none yet; without one every price stays unknown."""
    from ..pricing.table import INDEX_FILE_NAME, prices_folder

    with suppress(RuntimeError):  # the home folder is unknown
        if (prices_folder() / INDEX_FILE_NAME).exists():
            return
        from ..pricing.update import try_update  # takes 0.2 s, once

        try_update()


def _measure_speeds(rows: Sequence[Row]) -> None:
    from .speeds import measure_answer_seconds

    seconds = measure_answer_seconds([row.profile for row in rows])
    for row, each in zip(rows, seconds, strict=True):
        row.facts.seconds = each


def _find_kept(rows: Sequence[Row], kept: tuple[str, str | None] | None) -> str | None:
    """The candidate that a conversation has been held with; None = none of them."""
    if kept is None:
        return None
    profile, model = kept
    named = [row for row in rows if row.profile.name == profile]
    same_model = [row for row in named if row.profile.model == model]
    found = same_model or [row for row in named if row.profile.model is None]
    return found[0].name if found else None
