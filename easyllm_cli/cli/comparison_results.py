"""What a comparison prints when its answers are over: the answers, the figures, the errors."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from ..errors import EasyLLMError, Interrupted, MalformedAnswer, SomeFailedError
from ..render.comparison import Figures, ShownAnswer, format_document
from ..render.options import takes_layout
from ..render.output import OutputStream, print_error, shorten_server_text
from .compared_answer import ComparedAnswer, ComparedProfile
from .comparison_figures import make_figures
from .results import print_traceback

Answers = Sequence[ComparedAnswer]


def print_answers(groups: Sequence[Answers], color: str, *, is_data: bool) -> None:
    """Print one answer of each profile, and the figures of all; nothing where no text came.

    `groups`: the answers of each profile. `is_data`: they are JSON, not Markdown.
    Raises:
        BrokenPipeError: the reader has closed the pipe.
        OutputError: stdout cannot be written.
    """
    shown, figures = describe_groups(groups)
    if not any(answer.text for answer in shown):
        return
    if takes_layout(1, color):
        from ..render.comparison_layout import print_comparison  # rich

        print_comparison(shown, figures, color, is_data=is_data)
    else:
        OutputStream(1, terminal=False).write_complete(format_document(shown, figures))


def describe_groups(groups: Sequence[Answers]) -> tuple[list[ShownAnswer], list[Figures]]:
    """The answer to show of each profile, and the profile's figures."""
    shown = [describe_answer(choose_answer(answers)) for answers in groups]
    figures = [
        make_figures(answers[0].compared.label, [each.json_object for each in answers])
        for answers in groups
    ]
    return shown, figures


def choose_answer(answers: Answers) -> ComparedAnswer:
    """The first answer that was accepted, else the first one."""
    return next((each for each in answers if each.error is None), answers[0])


def describe_answer(answer: ComparedAnswer) -> ShownAnswer:
    """What people see of an answer."""
    error, values = answer.error, answer.json_object
    problem = ""
    if error is not None:
        is_cut = values["text"] and not isinstance(error, MalformedAnswer)
        problem = f"{'incomplete' if is_cut else 'failed'}: {shorten_server_text(error.what)}"
    elif not values["complete"]:
        problem = "incomplete: the answer was cut at the token limit that you set"
    model = " ".join((values["model"] or "").split())
    return ShownAnswer(answer.compared.label, model, values["text"], problem)


def print_answer_errors(answers: Answers, debug: bool) -> None:
    """Print an error line for each answer that failed by itself."""
    for answer in answers:
        if answer.error is not None and not isinstance(answer.error, Interrupted):
            if debug:
                print_traceback(answer.error)
            print_error(_with_label(answer.error, answer.compared))


def _with_label(error: EasyLLMError, compared: ComparedProfile) -> EasyLLMError:
    """The error with the label as its place, where the profile's name alone is not clear."""
    if compared.label != compared.profile.name:
        error = copy(error)
        error.where = ", ".join(filter(None, [compared.label, error.where]))
    return error


def summarize_errors(answers: Answers) -> EasyLLMError | None:
    """The error of the command; None if every answer was accepted.

    Where all failed with one exit code it has that one, else 9.
    """
    errors = [answer.error for answer in answers if answer.error is not None]
    if not errors:
        return None
    if len(errors) == len(answers) and len({error.exit_code for error in errors}) == 1:
        return type(errors[0])(f"all {len(answers)} answers failed")
    labels = dict.fromkeys(each.compared.label for each in answers if each.error is not None)
    return SomeFailedError(
        f"{len(errors)} of {len(answers)} answers failed", where=", ".join(labels)
    )
