"""The figures of a comparison, its labels, and the error that sums up its answers."""

from typing import Any

import pytest

from easyllm_cli.cli.compared_answer import ComparedAnswer, ComparedProfile, make_labels
from easyllm_cli.cli.comparison_figures import make_figures
from easyllm_cli.cli.comparison_results import summarize_errors
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, BusyError, EasyLLMError, NotFoundError, RefusedError
from easyllm_cli.pipeline.call import Call


def answer(
    ms_first: int | None = 500,
    ms: int = 1500,
    tokens: int | None = 101,
    cost: float | None = 0.25,
    **more: Any,
) -> dict[str, Any]:
    """The object of an answer, as far as the figures read it."""
    return {
        "ok": True, "complete": True, "replayed": None, "error": None, "finish_reason": "stop",
        "model": "m", "ms": ms, "ms_first_token": ms_first, "cost_usd": cost,
        "usage": {"completion_tokens": tokens}, **more,
    }  # fmt: skip


def failed(kind: str = "busy", **more: Any) -> dict[str, Any]:
    return answer(**{"ok": False, "complete": False, "error": {"kind": kind}, "cost": None, **more})


CACHED: dict[str, Any] = {"replayed": {"from": "cache", "age_s": 1}}
FIGURES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "one answer": ([answer()], ["m", "0.50 s", "1.50 s", "100", "101", "$0.25", "stop"]),
    "nothing is known": (
        [answer(None, tokens=None, cost=None)], ["m", "", "1.50 s", "", "", "", "stop"],
    ),
    "free, and one token has no speed": (
        [answer(tokens=1, cost=0.0)], ["m", "0.50 s", "1.50 s", "", "1", "$0.00", "stop"],
    ),
    "a cut answer has no speed": (
        [answer(complete=False, finish_reason="length")],
        ["m", "0.50 s", "1.50 s", "", "101", "$0.25", "length"],
    ),
    "a failed answer has no times": ([failed()], ["m", "", "", "", "101", "", "failed: busy"]),
    "neither has one from the cache": (
        [answer(cost=0.0, **CACHED)], ["m", "", "", "", "101", "$0.00", "stop (cache)"],
    ),
    "the lower median, of good answers": (
        [*map(answer, (400, 100, 200, 300)), failed(ms_first=1), answer(9, **CACHED)],
        ["m", "0.20 s (0.10-0.40)", "1.50 s", "77 (71-91)", "101", "$0.25",
         "4 × stop, 1 × failed: busy, 1 × stop (cache)"],
    ),
    "two models answered": (
        [answer(model="m2", cost=0.5), answer(cost=0.125)],
        ["m2, m", "0.50 s", "1.50 s", "100", "101", "$0.125 ($0.125-$0.50)", "2 × stop"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "texts"), FIGURES.values(), ids=FIGURES)
def test_figures(answers: list[dict[str, Any]], texts: list[str]) -> None:
    figures = make_figures("a", answers)
    assert list(figures.values()) == ["a", *texts]


def test_labels_differ() -> None:
    assert make_labels(["a", "a:m", "b", "a", "a"]) == ["a", "a:m", "b", "a #2", "a #3"]


def ended(label: str, error: EasyLLMError | None) -> ComparedAnswer:
    history: Any = None
    compared = ComparedProfile(label, Profile(name=label, provider="ollama"), [], history)
    one = ComparedAnswer(compared, Call([]), None, print)
    one.end(error)
    return one


@pytest.mark.parametrize(
    ("errors", "code", "kind", "message"),
    [
        ([BusyError("x"), BusyError("y")], 5, "busy", "all 2 answers failed"),
        ([RefusedError("x"), NotFoundError("y")], 4, "refused", "all 2 answers failed"),
        ([None, AuthError("x")], 9, "some_failed", "1 of 2 answers failed"),
        ([BusyError("x"), AuthError("x")], 9, "some_failed", "2 of 2 answers failed"),
    ],
)
def test_one_error_sums_up(
    errors: list[EasyLLMError | None], code: int, kind: str, message: str
) -> None:
    error = summarize_errors([ended(str(n), each) for n, each in enumerate(errors)])
    assert error is not None
    assert (error.exit_code, error.kind, error.message) == (code, kind, message)
    assert error.where == (
        "" if code != 9 else ", ".join("01"[n] for n, x in enumerate(errors) if x)
    )


def test_no_error_without_failures() -> None:
    assert summarize_errors([ended("a", None)]) is None
