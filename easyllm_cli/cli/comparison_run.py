"""ComparisonRun: asks the profiles of a comparison all at once, and shows and keeps the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..config.setting_values import CACHE_OFF
from ..errors import EasyLLMError, Interrupted, OutputError, UsageError
from ..events import Event, Note
from ..pipeline.acceptance import check_acceptable
from ..pipeline.call import OUTPUT_EVENTS, Call
from ..render.comparison import format_document
from ..render.comparison_preview import AnswerPreview, ComparisonPreview
from ..render.options import is_terminal
from ..render.output import print_notice
from ..service import LLMService
from . import runtime
from .answer_run import describe_progress
from .compared_answer import ComparedAnswer, ComparedProfile
from .comparison_results import (
    describe_groups,
    print_answer_errors,
    print_answers,
    summarize_errors,
)
from .options.common import CommonOptions
from .results import CommandResult, print_result
from .termination import Terminated, on_termination, raise_terminated

if TYPE_CHECKING:
    from ..choices import Choices
    from ..completion import Completion
    from ..json_schema import Schema

Events = AsyncGenerator[Event, None]


class ComparisonRun:
    """Asks every profile, in as many rounds as wanted, and shows and keeps what came."""

    def __init__(
        self,
        profiles: Sequence[ComparedProfile],
        service: LLMService,
        common: CommonOptions,
        answer_format: Schema | Choices | None = None,
    ) -> None:
        self.profiles = profiles
        self.service = service
        self.common = common
        self.answer_format = answer_format
        self.notes: list[str] = []  # about the prompt, printed when the first answer begins
        self.lacks_stdin = False  # a profile is strict, and stdin brought no text
        self.answers: list[ComparedAnswer] = []  # round by round
        self._printed: set[str] = set()  # notes that are printed once
        self.preview = ComparisonPreview(
            quiet=common.quiet,
            color=common.color or "auto",
            shows_text=is_terminal(1) and not common.json,
        )

    def run(self, rounds: int) -> int:
        """Run to the end and return the exit code; BrokenPipeError is raised."""
        try:
            stop = self._ask_and_show(rounds)
        except BrokenPipeError:
            self._keep()
            raise
        code = self._print_result(stop)
        self._keep()
        return code

    def _ask_and_show(self, rounds: int) -> EasyLLMError | None:
        """Ask, and show what came; returns the error that ended the command early, None = none."""
        stop: EasyLLMError | None = None
        is_shown = False
        try:
            with on_termination(raise_terminated):
                timeout = self.common.timeout
                stop = runtime.run_cancellable(self._ask(rounds), timeout, self._has_begun)
                self._stop_answers(stop)
                self.preview.clear()
                if not self.common.json:
                    color, is_data = self.common.color or "auto", self.answer_format is not None
                    print_answers(self._groups(), color, is_data=is_data)
                is_shown = True
        except OutputError as failure:
            stop = stop if isinstance(stop, Interrupted) else failure
        except KeyboardInterrupt as interrupt:
            stop = runtime.interrupted_error(isinstance(interrupt, Terminated))
        finally:
            self.preview.clear()
        self._stop_answers(stop)
        if stop is not None and not is_shown:
            self._save_document(stop)
        return stop

    def _stop_answers(self, stop: EasyLLMError | None) -> None:
        """Give the answers that are not over the error that ended the command."""
        for answer in self.answers:
            if stop is not None and not answer.is_over:
                answer.stop(stop)

    async def _ask(self, rounds: int) -> None:
        """Ask all profiles at once, as often as wanted: one round after the other."""
        if not self._may_replay():
            from ..transport.http import load_http_client

            load_http_client()
        async with runtime.refresh_periodically(self.preview):
            for number in range(1, rounds + 1):
                begun = [self._begin(profile) for profile in self.profiles]
                self.answers += [answer for answer, _ in begun]
                previews = [AnswerPreview(profile.label) for profile in self.profiles]
                self.preview.begin(previews, f"round {number} of {rounds}" if rounds > 1 else "")
                await asyncio.gather(
                    *(
                        self._follow(answer, events, preview)
                        for (answer, events), preview in zip(begun, previews, strict=True)
                    )
                )

    def _may_replay(self) -> bool:
        """Whether answers may come from the cache or a file, which needs no HTTP client."""
        caches = (compared.profile.cache for compared in self.profiles)
        return self.service.recordings is not None or any(
            cache not in (None, CACHE_OFF) for cache in caches
        )

    def _begin(self, compared: ComparedProfile) -> tuple[ComparedAnswer, Events]:
        """Begin an answer; nothing is sent before its first event is awaited."""
        calls: list[Call] = []
        events = self.service.stream(
            compared.profile, compared.messages, shown=(), fallbacks=[], on_call=calls.append,
            verdict=self._judge,
        )  # fmt: skip
        return ComparedAnswer(compared, calls[0], self.answer_format, self._note_once), events

    def _judge(self, answer: Completion, has_user_limit: bool) -> str:
        """Accept the answer or raise, as `check_acceptable`."""
        return check_acceptable(answer, has_user_limit, "auto", self.answer_format)

    async def _follow(self, answer: ComparedAnswer, events: Events, preview: AnswerPreview) -> None:
        """Read an answer to its end."""
        try:
            async with aclosing(events):
                async for event in events:
                    self._report(answer, event)
                    preview.handle_event(event)
        except EasyLLMError as error:
            answer.end(error)
            preview.end(f"failed: {error.kind}")
        else:
            answer.end()
            preview.end("finished")

    def _report(self, answer: ComparedAnswer, event: Event) -> None:
        """Print notes, retries and, with -v, the model and profile on stderr."""
        if isinstance(event, OUTPUT_EVENTS):
            if not answer.has_output:
                answer.has_output = True
                for text in self.notes:
                    answer.call.record(Note(text))
                    self._note_once(text)
            return
        text = describe_progress(event, verbose=self.common.verbose)
        if text:
            self._note(f"{answer.compared.label}: {text}")

    def _note(self, text: str) -> None:
        if not self.common.quiet:
            self.preview.clear()
            print_notice(f"easyllm: {text}")

    def _note_once(self, text: str) -> None:
        if text not in self._printed:
            self._printed.add(text)
            self._note(text)

    def _has_begun(self) -> bool:
        """Whether any of the answers has arrived."""
        return any(answer.call.ms_first_token is not None for answer in self.answers)

    def _groups(self) -> list[list[ComparedAnswer]]:
        """The answers of each profile, in the order of -p; without those that were not begun."""
        groups = [[each for each in self.answers if each.compared is one] for one in self.profiles]
        return [group for group in groups if group]

    def _print_result(self, stop: EasyLLMError | None) -> int:
        """Print the error lines and, with --json, the object."""
        print_answer_errors(self.answers, self.common.debug)
        error = summarize_errors(self.answers)
        if error is None or isinstance(stop, Interrupted | OutputError):
            error = stop
        if error is None and self.lacks_stdin:
            error = UsageError("stdin is empty", hint="use -n if nothing is to be read")
        objects = [answer.json_object for group in self._groups() for answer in group]
        return print_result(
            CommandResult(error=error, answers=objects),
            json=self.common.json,
            jsonl=False,
            debug=self.common.debug,
            on_write_error=self._save_document,
        )

    def _save_document(self, error: EasyLLMError) -> None:
        """Save the answers that could not be printed; the error line names the file."""
        from .partial_answers import save_partial_answer

        shown, figures = describe_groups(self._groups())
        if not any(answer.text for answer in shown):
            return
        try:
            error.partial_path = str(save_partial_answer(format_document(shown, figures)))
        except OSError as failure:
            print_notice(f"easyllm: the answers could not be kept: {failure.strerror}")

    def _keep(self) -> None:
        """Keep all answers in the history, in the order of -p."""
        for group in self._groups():
            for answer in group:
                answer.keep()
