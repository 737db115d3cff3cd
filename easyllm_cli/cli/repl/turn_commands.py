"""Commands about the turns so far: /again, /undo and /fork."""

from __future__ import annotations

from ...errors import UsageError
from ..options.input import ModelOptions
from .printing import print_wrapped
from .session import Session

MAX_SHOWN_CHARS = 40  # of a question


def again(session: Session, argument: str) -> None:
    """Ask the last question anew, this time of another profile if one is named.

    The new answer replaces the old one, in a new conversation.
    Raises:
        UsageError: there is no question. EasyLLMError: as `Session.ask`.
    """
    question = session.require_question()
    model = ModelOptions(profile=argument, profiles=session.request.model.profiles)
    transcript = session.transcript
    if transcript.count and transcript.last()[0] == question:
        transcript = transcript.without_last()
    session.ask(
        question, title=question.text, transcript=transcript, model=model if argument else None
    )


def undo(session: Session, argument: str) -> None:
    """Take back the files and images that wait, else the last turn. Raises UsageError: none."""
    if session.files or session.images:
        session.files, session.images = [], []
        print_wrapped("nothing goes with the next question now")
        return
    question = session.transcript.last()[0]
    session.transcript, session.name = session.transcript.without_last(), None
    text = " ".join(question.text.split())
    shown = text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"
    print_wrapped(f'dropped "{shown}" and its answer; {_left(session)}')


def fork(session: Session, argument: str) -> None:
    """Go on in a new conversation; the old one stays as it is. Raises UsageError: no turn yet."""
    if not session.transcript.count:
        raise UsageError("there is no turn yet", hint="type a question")
    session.transcript, session.name = session.transcript.forked(), None
    print_wrapped(f"the next question begins a new conversation; {_left(session)}")


def _left(session: Session) -> str:
    count = session.transcript.count
    return f"{count} turn{'s' * (count != 1)} stay{'s' * (count == 1)}"
