"""The checks of `easyllm doctor` for an auto profile: whether each candidate can be asked at all.

No request is sent: `doctor -p CANDIDATE` checks one of them with its server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..config.auto_profile import candidate_names
from ..config.profile import Profile
from ..errors import AuthError, EasyLLMError
from ..routing.facts import find_access_problem
from .probe import Finding, finding_from_error

CHECK_NAME = "candidate"


def check_candidates(auto: Profile, candidates: Sequence[Profile]) -> Iterator[Finding]:
    """The profile and each candidate; the last one fails with an error if none can be asked."""
    names = candidate_names(auto)
    prefer = auto.prefer or "order"
    yield Finding(True, f"{auto.name}: auto, {prefer}, of {', '.join(names)}", name="profile")
    problems: list[EasyLLMError] = []
    for name, profile in zip(names, candidates, strict=True):
        problem = find_access_problem(profile)
        if problem is None:
            hint = f"easyllm doctor -p {name} asks its server"
            yield Finding(True, f"{name} can be asked", hint, name=CHECK_NAME)
            continue
        problems.append(problem)
        found = finding_from_error(problem)
        yield Finding(True, f"{name}: {found.message}", found.hint, name=CHECK_NAME, lacking=True)
    if len(problems) == len(names):
        has_no_key = all(isinstance(problem, AuthError) for problem in problems)
        error = (AuthError if has_no_key else type(problems[0]))(
            "none of the candidates can be asked", where=f"profile {auto.name}"
        )
        yield Finding(False, error.message, error=error, name="key")
