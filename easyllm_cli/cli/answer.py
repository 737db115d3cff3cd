"""Runs one request: sends or dry-runs it, shows the answer, and rejects one that was cut short."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from ..completion import Completion
from ..config.profile import Profile
from ..errors import EasyLLMError, IncompleteAnswer, OutputError, UsageError
from ..events import MAX_TEXT_BYTES, Event, Note, Retrying, RoutineNote, Start
from ..messages import Message, with_system_prompt
from ..pipeline.call import OUTPUT_EVENTS, Call
from ..render import choose_renderer
from ..render.options import DisplayOptions, is_terminal
from ..render.output import print_notice
from ..render.plain import Renderer
from ..service import LLMService
from . import partial_answers, runtime
from .named_files import refuse_files_among
from .profile_selection import select_profile
from .prompt import build_messages
from .prompt_notes import find_prompt_notes
from .request import AnswerRequest, display_options, load_schema, may_offer_demo
from .results import CommandResult, print_result
from .runtime import refresh_periodically
from .stdin import Stdin

if TYPE_CHECKING:
    from ..json_schema import Schema


class AnswerRun:
    """Shows the events of one answer and prints its result.

    `call`: the record of the answer. `profile_name`: the profile asked first. `prompt_notes`:
    printed when the answer begins.
    """

    def __init__(
        self,
        request: AnswerRequest,
        display: DisplayOptions,
        renderer: Renderer,
        call: Call,
        profile_name: str,
        prompt_notes: Sequence[str] = (),
    ) -> None:
        self.request = request
        self.display = display
        self.renderer = renderer
        self.call = call
        self.profile_name = profile_name
        self.prompt_notes = prompt_notes
        self.lacks_stdin = False  # --strict, and stdin brought no text
        self._has_output = False
        self._deferred_notes: list[str] = []  # notes that came in mid-answer

    def run(self, events: AsyncGenerator[Event, None]) -> int:
        """Run to the end and return the exit code."""
        error: EasyLLMError | None = None
        try:
            with runtime.on_termination(runtime.raise_terminated):
                timeout = self.request.common.timeout
                error = runtime.run_cancellable(self._consume(events), timeout, self._has_begun)
                completion = self.call.best()
                text = completion["text"]
                if error is None or (self.request.output.partial and text):
                    completion = self._show(completion)
                if error is None and self.lacks_stdin:
                    # The complete answer is printed; the exit code reports the missing input.
                    error = UsageError("stdin is empty", hint="use -n if nothing is to be read")
        except EasyLLMError as failure:
            error = error or failure
        except KeyboardInterrupt as interrupt:  # while showing: text not shown is saved
            error = runtime.interrupted_error(isinstance(interrupt, runtime.Terminated))
            completion = self.call.best()
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
        for note in map(Note, self.prompt_notes):
            self._report(note)
            self.renderer.handle_event(self.call.record(note))

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
        if self.request.sampling.schema:
            from ..json_schema import strip_code_fence

            completion = Completion(completion, text=strip_code_fence(completion["text"]))
        self.renderer.finish(completion)
        return completion

    def _report(self, event: Event) -> None:
        """Print notes, retries and, with -v, the model and profile on stderr."""
        if isinstance(event, Retrying):
            wait = f"; next try in {event.wait:.1f} s" if event.wait else ""
            self._note(f"{event.why}{wait} (try {event.attempt})")
        elif isinstance(event, RoutineNote) and not self._is_for_people():
            return
        elif isinstance(event, Note):
            # In mid-answer a note would split a block that is still being drawn.
            if self.call.collector.text.tell():
                self._deferred_notes.append(event.text)
            else:
                self._note(event.text)
        elif isinstance(event, Start) and self.request.common.verbose:
            self._note(f"asking {event.model} at {event.provider} (profile {event.profile})")

    def _is_for_people(self) -> bool:
        """Whether a person reads the notes: stderr is a terminal, or -v was given."""
        return self.request.common.verbose or is_terminal(2)

    def _note(self, text: str) -> None:
        if not self.display.quiet:
            self.renderer.prepare_for_notice()
            print_notice(f"easyllm: {text}")

    def _save_partial(self, text: str, error: EasyLLMError) -> None:
        """Save the partial answer in the state folder; the error line names the file."""
        try:
            path = partial_answers.save_partial_answer(text)
        except OSError as failure:
            print_notice(f"easyllm: the partial answer could not be kept: {failure.strerror}")
            return
        error.partial_path = str(path)

    def _report_usage(self) -> None:
        """Print tokens, times and cost with -u, and a note about hidden reasoning."""
        shows_reasoning = self.display.reasoning == "show" or (
            self.display.reasoning == "auto" and is_terminal(2)
        )
        call, usage = self.call, self.call.usage
        received = call.collector.reasoning.tell()
        if call.collector.has_hidden_reasoning and not received and shows_reasoning:
            tokens = usage.reasoning_tokens
            self._note(f"reasoning: hidden{f' ({tokens} tokens)' if tokens else ''}")
        if not self.request.output.usage:
            return
        first = call.ms_first_token
        reasoning = usage.reasoning_tokens
        reasoning_part = f" ({reasoning} reasoning)" if reasoning else ""
        parts = [
            f"{usage.prompt_tokens} tokens in" if usage.prompt_tokens is not None else "",
            f"{usage.completion_tokens} out{reasoning_part}"
            if usage.completion_tokens is not None
            else "",
            f"first token {first / 1000:.2f} s" if first is not None else "",
            f"total {call.ms / 1000:.2f} s",
            self._format_speed(usage.completion_tokens),
            f"${usage.cost_usd:.6f}" if usage.cost_usd is not None else "",
        ]
        self._note(", ".join(part for part in parts if part))

    def _format_speed(self, tokens: int | None) -> str:
        """Tokens per second after the first one; "" if the answer was not streamed."""
        first = self.call.ms_first_token
        seconds = (self.call.ms - first) / 1000 if first is not None else 0.0
        if not tokens or not seconds or self.request.run.stream is False:
            return ""
        return f"{(tokens - 1) / seconds:.0f} tokens/s"

    def _print_result(self, error: EasyLLMError | None, completion: Completion) -> int:
        """Print the result; if the --json object cannot be written, save the text to a file."""
        result = CommandResult(
            error=error,
            completion=completion,
            profile=self.call.profile_name or self.profile_name or None,
            call=self.call,
        )
        common = self.request.common

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


INCOMPLETE_REASONS = {
    "length": ("the answer was cut at the model's own token limit", "set --max-tokens"),
    "content_filter": ("the provider's filter cut the answer", "rephrase the prompt"),
    "tool_calls": ("the model called a tool, and tools are not supported", "ask again"),
}


def check_acceptable(
    completion: Completion, has_user_limit: bool, reasoning: str, schema: Schema | None = None
) -> str:
    """Accept or reject a finished answer; returns a note for the user ("" = none).

    An incomplete answer is accepted only if the user's own token limit cut it.
    `has_user_limit`: the request contained such a limit. `reasoning`: value of --reasoning.
    Raises:
        IncompleteAnswer: the answer is not accepted.
        MalformedAnswer: it does not fit the schema.
    """
    if reasoning == "only" and not completion["reasoning"]:
        raise _incomplete_error("the model sent no reasoning", "leave out --reasoning only")
    reason = completion["finish_reason"]
    cut_by_user_limit = reason == "length" and has_user_limit
    if schema and (completion["complete"] or cut_by_user_limit):
        schema.check(completion)
    if completion["complete"]:
        return ""
    if cut_by_user_limit:
        return "the answer was cut at the token limit that you set (length)"
    default = (f'the answer ended with finish_reason "{reason}"', "ask again")
    raise _incomplete_error(*INCOMPLETE_REASONS.get(reason or "", default))


def _incomplete_error(message: str, hint: str) -> IncompleteAnswer:
    return IncompleteAnswer(message, hint=hint, retryable=False)


def answer_request(request: AnswerRequest) -> int:
    """Send the request, show the answer and return the exit code.

    Raises:
        EasyLLMError: an error found before anything is sent.
    """
    display = display_options(request)
    options = request.input
    refuse_files_among(request.prompt_words, options, request.command)
    schema = load_schema(request, display)
    profile, fallbacks = select_profile(
        request.model, request.sampling, request.run, request.common.timeout,
        offer_demo=may_offer_demo(request),
    )  # fmt: skip
    call_settings = {"schema": schema and schema.document, "elicit": request.elicit}
    profile = profile.replace_set(**call_settings)
    fallbacks = [fallback.replace_set(**call_settings) for fallback in fallbacks]
    common = request.common
    source = request.stdin or Stdin(options.no_stdin, common.quiet, common.timeout)
    messages = build_messages(request.prompt_words, options, source, list(request.images))
    messages = with_system_prompt(messages, profile.system)
    lacks_input = source.was_empty and bool(profile.strict)  # an error, no note
    notes = [] if lacks_input else source.notes
    notes = [*find_prompt_notes(request, source, [profile, *fallbacks]), *notes]
    if request.run.dry_run:
        return dry_run(profile, messages, request, notes)
    renderer = choose_renderer(display)
    calls: list[Call] = []
    events = LLMService().stream(
        profile, messages, stream=request.run.stream is not False, shown=renderer.shown_kinds,
        max_bytes=request.run.max_output_bytes or MAX_TEXT_BYTES,
        verdict=lambda answer, limit: check_acceptable(answer, limit, display.reasoning, schema),
        fallbacks=fallbacks, on_call=calls.append,
    )  # fmt: skip
    answer_run = AnswerRun(request, display, renderer, calls[0], profile.name, notes)
    answer_run.lacks_stdin = lacks_input
    return answer_run.run(events)


def dry_run(
    profile: Profile, messages: list[Message], request: AnswerRequest, notes: list[str]
) -> int:
    """Print the request that would be sent, with keys as ***; needs no network and no key."""
    from ..pipeline.think_prompt import apply_think_prompt
    from ..providers import provider_for
    from ..providers.http import HTTPProvider
    from ..providers.plugin_errors import name_plugin_in_errors
    from ..render.json import print_json

    provider = provider_for(profile)
    if profile.elicit == "always":
        messages = apply_think_prompt(provider, messages)
    if not isinstance(provider, HTTPProvider):
        raise UsageError(f"--dry-run cannot show what {profile.provider} sends")
    with name_plugin_in_errors(provider.entry_point):
        http_request = provider.dry_request(messages, stream=request.run.stream is not False)
    for note in [] if request.common.quiet else notes:
        print_notice(f"easyllm: {note}")
    headers = {name: str(value) for name, value in http_request.headers.items()}
    print_json(
        {
            "method": http_request.method,
            "url": http_request.url or None,  # null for a model that runs in this process
            "headers": headers,
            "body": http_request.body,
        }
    )
    return 0
