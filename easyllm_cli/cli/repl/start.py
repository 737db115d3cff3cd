"""Starts the repl: refuses what makes no sense there, prepares the session, and says hello."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...render.options import is_terminal
from ...render.output import print_notice
from .. import collect_garbage_again
from ..answer_history import AnswerHistory, describe_continued
from ..options.history import HistoryOptions
from ..options.input import InputOptions
from ..options.template import TemplateOptions
from ..profile_selection import select_profile
from ..prompt_text import join_words
from ..stdin import Stdin
from .line_editor import LineEditor
from .line_history import load_entries
from .loop import prompt_of, run_loop
from .session import Session
from .transcript import Transcript

if TYPE_CHECKING:
    from ..request import AnswerRequest
    from ..template import Template

SHOWN_TURNS = 2  # of a conversation that is continued


def run_repl(request: AnswerRequest) -> int:
    """Ask question after question; returns the exit code.

    Raises:
        UsageError: an option makes no sense here, or stdin and stdout are not both a terminal.
        ConfigError: no profile can be asked. OutputError: the history cannot be read.
    """
    _refuse_options(request)
    if not (is_terminal(0) and is_terminal(1)):
        raise UsageError(
            "easyllm repl needs a terminal for stdin and stdout",
            hint='in a script: easyllm chat --conversation new:NAME "PROMPT", then NAME alone',
        )
    if request.input.file or request.input.image:
        from ..named_files import refuse_files_among

        refuse_files_among(request.prompt_words, request.input, request.command)
    first_prompt = join_words(request.prompt_words)
    request, template = _apply_template(request)
    session = _open_session(request, template)
    editor = LineEditor(load_entries(), partial(_complete, session))
    _greet(session)
    collect_garbage_again()
    return run_loop(session, editor, first_prompt)


def _complete(session: Session, line: str, word: str) -> Sequence[str]:
    """The words that TAB offers."""
    from .line_completion import complete_line  # at the first TAB

    return complete_line(session, line, word)


def _refuse_options(request: AnswerRequest) -> None:
    """Raises UsageError: an option is for one answer, or for scripts."""
    refused = {
        "--json": request.common.json, "--jsonl": request.output.jsonl,
        "--dry-run": request.run.dry_run, "--messages": request.input.messages is not None,
    }  # fmt: skip
    for name, is_given in refused.items():
        if is_given:
            raise UsageError(f"{name} and repl do not go together", hint="easyllm chat takes it")
    if request.output.code is not None:
        raise UsageError("-x and repl do not go together", hint="in the repl: /code")


def _apply_template(request: AnswerRequest) -> tuple[AnswerRequest, Template | None]:
    """The request with what the template's head sets, and the template, for every question.

    Raises:
        UsageError, ConfigError: as `load_template`; the template needs stdin.
    """
    name, variables = request.template.template, request.template.var or []
    if name is None:
        if variables:
            raise UsageError("--var is for a template", hint="name one with -T")
        return request, None
    from ..template import load_template
    from ..template_head import apply_head

    template = load_template(name, variables, prompt="any question")
    if template.needs_stdin:
        raise UsageError("the template needs stdin", where=name, hint="use it with easyllm chat")
    request = apply_head(request, template.head)
    return replace(request, template=TemplateOptions()), template


def _open_session(request: AnswerRequest, template: Template | None) -> Session:
    """The session, with the conversation that -c or --conversation means. Raises as `run_repl`."""
    history = AnswerHistory(request)
    earlier, model, input = history.earlier, history.model_options(), request.input
    if earlier is not None:
        profile, fallbacks = select_profile(
            model, request.sampling, request.run, request.common.timeout
        )
        history.require_same_host(profile)
        history.choose_mode([profile, *fallbacks])
    request = replace(
        request,
        prompt_words=[],
        model=model,
        input=InputOptions(system=input.system),
        history=HistoryOptions(history=request.history.history),
        stdin=Stdin(disabled=True),
    )
    session = Session(request, template)
    session.name = history.name
    if input.file or input.image:
        session.attach(input.file or [], input.image or [])
    if earlier is not None:
        session.transcript = Transcript.of_conversation(earlier)
        in_list = "\n\n".join(each.text for each in earlier.messages if each.role == "system")
        if session.system is None and earlier.system != in_list:
            session.system = earlier.system
        print_notice(f"easyllm: {describe_continued(earlier)}")
        _show_last_messages(session)
    return session


def _show_last_messages(session: Session) -> None:
    """Print the last turns of the conversation that is continued."""
    transcript, messages = session.transcript, list(session.transcript.messages)
    for _ in range(min(SHOWN_TURNS, transcript.count)):
        transcript = transcript.without_last()
    shown = messages[len(transcript.messages) :]
    from .printing import print_messages

    print_messages(shown, prompt_of(session), session.request.common.color or "auto")


def _greet(session: Session) -> None:
    """Say who is asked, how to leave, and what is not kept."""
    if session.request.common.quiet:
        return
    print_notice(f"easyllm: {session.describe_model()}; /help lists the commands, Ctrl-D leaves")
    if not session.keeps_texts:
        mode = session.history_mode
        print_notice(f'easyllm: history is "{mode}": the conversation ends with this repl')
