"""Road: one answer under way, shown as it comes, kept when it fails, and told how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from ..completion import Completion
from ..config.profile import Profile
from ..errors import EasyLLMError, IncompleteAnswer, OutputError, UsageError
from ..events import MAX_TEXT_BYTES, UNLIMITED_BYTES, Event, Note, Reasoning, Retrying, Start, Text
from ..messages import Message, with_system_prompt
from ..pipeline.collector import Collector
from ..render import choose_renderer
from ..render.options import DisplayOptions, is_terminal
from ..render.output import PARTIAL_PATH_HINT, print_notice
from ..render.plain import Renderer
from ..service import LLMService
from . import partial_answers, runtime
from .named_files import note_on_files_among, refuse_files_among
from .profile_selection import select_profile
from .prompt import Stdin, build_messages
from .request import AnswerRequest, display_options, load_schema, may_offer_demo
from .results import CommandResult, print_result
from .runtime import refresh_periodically

if TYPE_CHECKING:
    from ..json_schema import Schema
    from .request import AnswerRequest


class AnswerRun:
    """`profile`: the one that was asked first; `notes` are told when an answer begins."""

    def __init__(
        self,
        request: AnswerRequest,
        display: DisplayOptions,
        renderer: Renderer,
        profile_name: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.request = request
        self.display = display
        self.renderer = renderer
        self.profile_name = profile_name
        self.notes = notes
        self.lacks_stdin = False  # stdin was to bring text and was empty, and that is an error
        self.collector = Collector(UNLIMITED_BYTES)
        self.cancelled_completion: Completion | None = None
        self.started_at = time.monotonic()
        self.first_token_at: float | None = None
        self._deferred_notes: list[str] = []  # notes that came after the answer had begun

    def run(self, events: AsyncIterator[Event]) -> int:
        """The whole way; gives the exit code."""
        error: EasyLLMError | None = None
        try:
            with runtime.on_termination(runtime.raise_terminated):
                timeout = self.request.common.timeout
                error = runtime.run_cancellable(self._consume(events), timeout, self._has_begun)
                completion = self._completion(error)
                whole = completion["text"]
                if error is None or (self.request.output.partial and whole):
                    completion = self._show(completion)
                if error is None and self.lacks_stdin:
                    # The answer is whole, so it is printed; the code tells that input was missing.
                    error = UsageError("stdin is empty", hint="-n: nothing is to be read from it")
        except EasyLLMError as failure:
            error = error or failure
        except KeyboardInterrupt as signalled:  # while it is shown: what is not, is kept
            error = runtime.interrupted_error(isinstance(signalled, runtime.Terminated))
            completion = self._completion(error)
            whole = completion["text"]
        finally:
            with suppress(OutputError):
                self.renderer.close()
            for text in self._deferred_notes:
                self._note(text)
        if error is not None and whole and not self.renderer.wrote and not self.display.json:
            self._save_partial(whole, error)
        self._report_usage()
        return self._print_result(error, completion)

    async def _consume(self, events: AsyncIterator[Event]) -> None:
        """Take every event in and show it."""
        closing: Any = events
        try:
            async with refresh_periodically(self.renderer), aclosing(closing):
                async for event in closing:
                    if isinstance(event, Text | Reasoning):
                        if self.first_token_at is None:
                            self._begin()
                    else:
                        self._report(event)
                    self.collector.feed(event)
                    self.renderer.handle_event(event)
        except asyncio.CancelledError as stopped:
            self.cancelled_completion = getattr(stopped, "partial", None)
            raise

    def _begin(self) -> None:
        """An answer comes, so that what was odd about the question counts; a failure needs no
        second line."""
        self.first_token_at = time.monotonic()
        for note in map(Note, self.notes):
            self._report(note)
            self.collector.feed(note)
            self.renderer.handle_event(note)

    def _has_begun(self) -> bool:
        """Whether any of the answer has come, held back or not."""
        held = self.cancelled_completion is not None and bool(
            self.cancelled_completion["text"] or self.cancelled_completion["reasoning"]
        )
        return self.first_token_at is not None or held

    def _completion(self, error: EasyLLMError | None) -> Completion:
        """The answer, or the most that came of it in any attempt."""
        best = (error.partial if error else None) or self.cancelled_completion
        if best and len(best["text"]) >= self.collector.text.tell():
            return best  # and no second copy is made of an answer that may be long
        return self.collector.completion()

    def _show(self, completion: Completion) -> Completion:
        """Show what waited for the end; with -x the code, with --schema the JSON alone.

        Raises:
            IncompleteAnswer: there is no code. OutputError: it cannot be written.
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
        """Notes, retries and, with -v, who is asked: on stderr."""
        if isinstance(event, Retrying):
            wait = f"; next try in {event.wait:.1f} s" if event.wait else ""
            self._note(f"{event.why}{wait} (try {event.attempt})")
        elif isinstance(event, Note):
            # In the middle of an answer it would cut what is still open on the screen in two.
            if self.collector.text.tell():
                self._deferred_notes.append(event.text)
            else:
                self._note(event.text)
        elif isinstance(event, Start) and self.request.common.verbose:
            self._note(f"asking {event.model} at {event.provider} (profile {event.profile})")

    def _note(self, text: str) -> None:
        if not self.display.quiet:
            self.renderer.prepare_for_notice()
            print_notice(f"easyllm: {text}")

    def _save_partial(self, text: str, error: EasyLLMError) -> None:
        """The partial answer goes to the state folder; the error line names the file."""
        try:
            path = partial_answers.save_partial_answer(text)
        except OSError as failure:
            print_notice(f"easyllm: the partial answer could not be kept: {failure.strerror}")
            return
        error.hint = f"{error.hint}{PARTIAL_PATH_HINT}{path}".removeprefix("; ")

    def _report_usage(self) -> None:
        """With -u tokens, times and cost; reasoning that the provider keeps to itself."""
        seen = self.display.reasoning == "show" or (
            self.display.reasoning == "auto" and is_terminal(2)
        )
        if self.collector.has_hidden_reasoning and not self.collector.reasoning.tell() and seen:
            tokens = self.collector.usage.reasoning_tokens
            self._note(f"reasoning: hidden{f' ({tokens} tokens)' if tokens else ''}")
        if not self.request.output.usage:
            return
        usage = self.collector.usage
        first = self.first_token_at
        reasoning = usage.reasoning_tokens
        thought = f" ({reasoning} reasoning)" if reasoning else ""
        parts = [
            f"{usage.prompt_tokens} tokens in" if usage.prompt_tokens is not None else "",
            f"{usage.completion_tokens} out{thought}"
            if usage.completion_tokens is not None
            else "",
            f"first token {first - self.started_at:.2f} s" if first else "",
            f"{time.monotonic() - self.started_at:.2f} s",
            self._format_speed(usage.completion_tokens),
            f"${usage.cost_usd:.6f}" if usage.cost_usd is not None else "",
        ]
        self._note(", ".join(part for part in parts if part))

    def _format_speed(self, tokens: int | None) -> str:
        """Tokens a second from the first one on; "" where they did not come one by one."""
        since = time.monotonic() - self.first_token_at if self.first_token_at else 0.0
        if not tokens or not since or self.request.run.stream is False:
            return ""
        return f"{(tokens - 1) / since:.0f} tokens/s"

    def _print_result(self, error: EasyLLMError | None, completion: Completion) -> int:
        """Print the outcome; a --json object that cannot be written leaves its text in a file."""
        first = self.first_token_at
        outcome = CommandResult(
            error=error,
            completion=completion,
            profile=self.collector.start.profile or self.profile_name or None,
            cost_usd=self.collector.usage.cost_usd,
            attempts=self.collector.attempts,
            ms=round((time.monotonic() - self.started_at) * 1000),
            ms_first_token=round((first - self.started_at) * 1000) if first else None,
            notes=self.collector.notes,
        )
        common = self.request.common

        def lost(failure: OutputError) -> None:
            if completion["text"]:
                self._save_partial(completion["text"], failure)

        return print_result(
            outcome,
            json=common.json,
            jsonl=self.display.jsonl,
            debug=common.debug,
            on_write_error=lost,
        )


INCOMPLETE_REASONS = {
    "length": ("the answer was cut at the model's own token limit", "set --max-tokens"),
    "content_filter": ("the provider's filter cut the answer", "rephrase the prompt"),
    "tool_calls": ("the model called a tool, and tools are not supported", "ask again"),
}


def check_acceptable(
    completion: Completion, has_user_limit: bool, reasoning: str, schema: Schema | None = None
) -> str:
    """A note for the user ("" = none) about an answer that counts (DESIGN §7).

    `limited`: the request that was answered held a limit of the user's. `reasoning`: the option.
    Raises:
        IncompleteAnswer: the answer does not count. MalformedAnswer: it does not fit the schema.
    """
    if reasoning == "only" and not completion["reasoning"]:
        raise _incomplete_error("the model sent no reasoning", "leave out --reasoning only")
    reason = completion["finish_reason"]
    cut_as_asked = reason == "length" and has_user_limit
    if schema and (completion["complete"] or cut_as_asked):
        schema.check(completion)
    if completion["complete"]:
        return ""
    if cut_as_asked:
        return "the answer was cut at the token limit that you set (length)"
    usual = (f'the answer ended with finish_reason "{reason}"', "ask again")
    raise _incomplete_error(*INCOMPLETE_REASONS.get(reason or "", usual))


def _incomplete_error(message: str, hint: str) -> IncompleteAnswer:
    return IncompleteAnswer(message, hint=hint, retryable=False)


def answer_request(request: AnswerRequest) -> int:
    """Ask, show, judge; gives the exit code.

    Raises:
        EasyLLMError: what is wrong before anything is sent.
    """
    look = display_options(request)
    ask = request.input
    refuse_files_among(request.prompt_words, ask, request.command)
    schema = load_schema(request, look)
    profile, fallbacks = select_profile(
        request.model, request.sampling, request.run, request.common.timeout,
        offer_demo=may_offer_demo(request),
    )  # fmt: skip
    of_the_call = {"schema": schema and schema.document, "elicit": request.elicit}
    profile = profile.replace_set(**of_the_call)
    fallbacks = [one.replace_set(**of_the_call) for one in fallbacks]
    common = request.common
    source = request.stdin or Stdin(ask.no_stdin, common.quiet, common.timeout)
    messages = build_messages(request.prompt_words, ask, source, list(request.images))
    messages = with_system_prompt(messages, profile.system)
    lacks_input = source.was_empty and bool(profile.strict)  # then an error says so, no note
    notes = [*find_prompt_notes(request), *([] if lacks_input else source.notes)]
    if request.run.dry_run:
        return dry_run(profile, messages, request, notes)
    renderer = choose_renderer(look)
    events = LLMService().stream(
        profile, messages, stream=request.run.stream is not False, shown=renderer.shown_kinds,
        max_bytes=request.run.max_output_bytes or MAX_TEXT_BYTES,
        verdict=lambda answer, limited: check_acceptable(answer, limited, look.reasoning, schema),
        fallbacks=fallbacks,
    )  # fmt: skip
    road = AnswerRun(request, look, renderer, profile.name, notes)
    road.lacks_stdin = lacks_input
    return road.run(events)


def find_prompt_notes(request: AnswerRequest) -> list[str]:
    """What to say of the prompt's own words."""
    ask = request.input
    note = "" if ask.file or ask.image else note_on_files_among(request.prompt_words)
    return [note] if note else []


def dry_run(
    profile: Profile, messages: list[Message], request: AnswerRequest, notes: list[str]
) -> int:
    """Print the request that would be sent, keys as ***; no network, no key needed."""
    from ..pipeline.think_prompt import apply_think_prompt
    from ..providers import provider_for
    from ..providers.http import HTTPProvider
    from ..render.json import print_json

    provider = provider_for(profile)
    if profile.elicit == "always":
        messages = apply_think_prompt(provider, messages)
    if not isinstance(provider, HTTPProvider):
        raise UsageError(f"--dry-run cannot show what {profile.provider} sends")
    made = provider.dry_request(messages, stream=request.run.stream is not False)
    for note in [] if request.common.quiet else notes:
        print_notice(f"easyllm: {note}")
    headers = {name: str(value) for name, value in made.headers.items()}
    print_json({"method": made.method, "url": made.url, "headers": headers, "body": made.body})
    return 0
