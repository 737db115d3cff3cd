"""AnswerRun: shows one answer, keeps a partial one, and prints the result."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from ..completion import Completion
from ..errors import EasyLLMError, OutputError, UsageError
from ..events import Event, Note, Retrying, RoutineNote, Start
from ..pipeline.call import OUTPUT_EVENTS, Call
from ..render.options import DisplayOptions, is_terminal
from ..render.output import print_notice
from ..render.plain import Renderer
from . import runtime
from .request import AnswerRequest
from .results import CommandResult, print_result
from .runtime import refresh_periodically
from .termination import Terminated, on_termination, raise_terminated

if TYPE_CHECKING:
    from ..choices import Choices
    from ..config.profile import Profile
    from ..json_schema import Schema
    from .cost import AnswerCost


class AnswerRun:
    """Shows the events of one answer and prints its result.

    `call`: the record of the answer. `profiles`: the profile asked first and its fallbacks.
    `prompt_notes`: printed when the answer begins.
    """

    def __init__(
        self,
        request: AnswerRequest,
        display: DisplayOptions,
        renderer: Renderer,
        call: Call,
        profiles: Sequence[Profile] = (),
        prompt_notes: Sequence[str] = (),
    ) -> None:
        self.request = request
        self.display = display
        self.renderer = renderer
        self.call = call
        self.profiles = profiles
        self.prompt_notes = prompt_notes
        self.lacks_stdin = False  # --strict, and stdin brought no text
        self.answer_format: Schema | Choices | None = None
        self.conversation: str | None = None  # its id, for --json
        self.error: EasyLLMError | None = None  # that the command ended with
        self._has_output = False
        self._deferred_notes: list[str] = []  # notes that came in mid-answer
        self._cost: AnswerCost | None = None

    def run(self, events: AsyncGenerator[Event, None]) -> int:
        """Run to the end and return the exit code."""
        error: EasyLLMError | None = None
        try:
            with on_termination(raise_terminated):
                timeout, turn = self.request.common.timeout, self.request.turn
                runner = turn.runner if turn else None
                work = self._consume(events)
                error = runtime.run_cancellable(work, timeout, self._has_begun, runner)
                completion = self.call.longest() if error else self.call.completion()
                text = completion["text"]
                if error is None or (self.request.output.partial and text):
                    completion = self._show(completion)
                if error is None and self.lacks_stdin:
                    # The complete answer is printed; the exit code reports the missing input.
                    error = UsageError("stdin is empty", hint="use -n if nothing is to be read")
        except EasyLLMError as failure:
            error = error or failure
        except KeyboardInterrupt as interrupt:  # while showing: text not shown is saved
            error = runtime.interrupted_error(isinstance(interrupt, Terminated))
            completion = self.call.completion() if self.call.accepted else self.call.longest()
            text = completion["text"]
        finally:
            with suppress(OutputError):
                self.renderer.close()
            for note in self._deferred_notes:
                self._note(note)
        if error is not None and text and not self.renderer.wrote and not self.display.json:
            self._save_partial(text, error)
        self._report_usage()
        return self._print_result(error, completion)

    async def _consume(self, events: AsyncGenerator[Event, None]) -> None:
        """Show every event."""
        async with refresh_periodically(self.renderer), aclosing(events):
            async for event in events:
                if not isinstance(event, OUTPUT_EVENTS):
                    self._report(event)
                elif not self._has_output:
                    self._begin()
                self.renderer.handle_event(event)

    def _begin(self) -> None:
        """Report the notes about the prompt when the answer's first token arrives.

        A request that fails before prints only its error line.
        """
        self._has_output = True
        for text in self.prompt_notes:
            self._note(text)
            self.renderer.handle_event(self.call.record(Note(text)))

    def _has_begun(self) -> bool:
        """Whether any of the answer has arrived, shown or held back."""
        return self.call.ms_first_token is not None

    def _show(self, completion: Completion) -> Completion:
        """Show text held back until the end; -x keeps only the code, --schema only the JSON.

        Raises:
            IncompleteAnswer: the answer has no code block.
            OutputError: it cannot be written.
        """
        if self.display.code:
            from ..render.code_blocks import extract_code_blocks

            blocks = extract_code_blocks(completion["text"], all_blocks=self.display.code == "all")
            completion = Completion(completion, text=blocks)
        if self.answer_format:
            completion = Completion(completion, text=self.answer_format.printed(completion["text"]))
        self.renderer.finish(completion)
        return completion

    def _report(self, event: Event) -> None:
        """Print notes, retries and, with -v, the model and profile on stderr."""
        text = describe_progress(event, verbose=self.request.common.verbose)
        # In mid-answer a note would split a block that is still being drawn.
        if text and isinstance(event, Note) and self.call.collector.text.tell():
            self._deferred_notes.append(text)
        elif text:
            self._note(text)

    def _note(self, text: str) -> None:
        if not self.display.quiet:
            self.renderer.prepare_for_notice()
            print_notice(f"easyllm: {text}")

    def _save_partial(self, text: str, error: EasyLLMError) -> None:
        """Save the partial answer in the state folder; the error line names the file."""
        from .partial_answers import save_partial_answer

        try:
            path = save_partial_answer(text)
        except OSError as failure:
            print_notice(f"easyllm: the partial answer could not be kept: {failure.strerror}")
            return
        error.partial_path = str(path)

    def cost(self) -> AnswerCost:
        """What the answer cost, and who says so; once it is over."""
        if self._cost is None:
            from .cost import find_cost

            self._cost = find_cost(self.call, self._note)
        return self._cost

    def _report_usage(self) -> None:
        """Print tokens, times and cost with -u, and a note about hidden reasoning."""
        call = self.call
        shows_reasoning = self.display.reasoning == "show" or (
            self.display.reasoning == "auto" and is_terminal(2)
        )
        received = call.collector.reasoning.tell()
        if call.collector.has_hidden_reasoning and not received and shows_reasoning:
            tokens = call.usage.reasoning_tokens
            self._note(f"reasoning: hidden{f' ({tokens} tokens)' if tokens else ''}")
        if self.request.output.usage:
            from .usage_line import format_usage_line

            self._note(format_usage_line(call, self.cost()))

    def _print_result(self, error: EasyLLMError | None, completion: Completion) -> int:
        """Print the result; if the --json object cannot be written, save the text to a file."""
        self.error = error
        common = self.request.common
        asked_first = self.profiles[0].name if self.profiles else ""
        result = CommandResult(
            error=error,
            completion=completion,
            profile=self.call.profile_name or asked_first or None,
            call=self.call,
            conversation=self.conversation,
            cost=self.cost() if common.json or self.display.jsonl else (None, None),
        )

        def save_text(failure: OutputError) -> None:
            if completion["text"]:
                self._save_partial(completion["text"], failure)

        return print_result(
            result,
            json=common.json,
            jsonl=self.display.jsonl,
            debug=common.debug,
            on_write_error=save_text,
        )


def describe_progress(event: Event, *, verbose: bool) -> str:
    """What stderr says about an event that is neither text nor reasoning; "" = nothing.

    A RoutineNote is for people only: where stderr is a terminal, or with -v (`verbose`).
    """
    if isinstance(event, Retrying):
        wait = f"; next try in {event.wait:.1f} s" if event.wait else ""
        return f"{event.why}{wait} (try {event.attempt})"
    if isinstance(event, RoutineNote) and not (verbose or is_terminal(2)):
        return ""
    if isinstance(event, Note):
        return event.text
    if isinstance(event, Start) and verbose:
        return f"asking {event.model} at {event.provider} (profile {event.profile})"
    return ""
