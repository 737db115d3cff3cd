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
from ..events import ANY_SIZE, MAX_TEXT_BYTES, Event, Note, Reasoning, Retrying, Start, Text
from ..messages import Message, with_system
from ..pipeline.collector import Collector
from ..render import choose
from ..render.options import Look, is_terminal
from ..render.output import KEPT, complain
from ..render.plain import Renderer
from ..service import LLMService
from . import partial_answers, runtime
from .named_files import note_on_files_among, refuse_files_among
from .profile_selection import chosen
from .prompt import Stdin, conversation
from .request import Question, look_of, may_offer, schema_of
from .results import Outcome, finish
from .runtime import ticking

if TYPE_CHECKING:
    from ..json_schema import Schema
    from .request import Question


class Road:
    """`profile`: the one that was asked first; `notes` are told when an answer begins."""

    def __init__(
        self,
        question: Question,
        look: Look,
        renderer: Renderer,
        profile: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.question = question
        self.look = look
        self.renderer = renderer
        self.profile = profile
        self.notes = notes
        self.lacks_input = False  # stdin was to bring text and was empty, and that is an error
        self.gathered = Collector(ANY_SIZE)
        self.stopped: Completion | None = None
        self.began = time.monotonic()
        self.first_token: float | None = None
        self._waiting: list[str] = []  # notes that came after the answer had begun

    def travel(self, events: AsyncIterator[Event]) -> int:
        """The whole way; gives the exit code."""
        error: EasyLLMError | None = None
        try:
            with runtime.told_by_signals(runtime.terminate):
                timeout = self.question.common.timeout
                error = runtime.run(self._listen(events), timeout, self._has_begun)
                completion = self._completion(error)
                whole = completion["text"]
                if error is None or (self.question.show.partial and whole):
                    completion = self._show(completion)
                if error is None and self.lacks_input:
                    # The answer is whole, so it is printed; the code tells that input was missing.
                    error = UsageError("stdin is empty", hint="-n: nothing is to be read from it")
        except EasyLLMError as failure:
            error = error or failure
        except KeyboardInterrupt as signalled:  # while it is shown: what is not, is kept
            error = runtime.stopped(isinstance(signalled, runtime.Terminated))
            completion = self._completion(error)
            whole = completion["text"]
        finally:
            with suppress(OutputError):
                self.renderer.close()
            for text in self._waiting:
                self._note(text)
        if error is not None and whole and not self.renderer.wrote and not self.look.json:
            self._keep(whole, error)
        self._say_how_it_went()
        return self._finish(error, completion)

    async def _listen(self, events: AsyncIterator[Event]) -> None:
        """Take every event in and show it."""
        closing: Any = events
        try:
            async with ticking(self.renderer), aclosing(closing):
                async for event in closing:
                    if isinstance(event, Text | Reasoning):
                        if self.first_token is None:
                            self._begin()
                    else:
                        self._say(event)
                    self.gathered.feed(event)
                    self.renderer.event(event)
        except asyncio.CancelledError as stopped:
            self.stopped = getattr(stopped, "partial", None)
            raise

    def _begin(self) -> None:
        """An answer comes, so that what was odd about the question counts; a failure needs no
        second line."""
        self.first_token = time.monotonic()
        for note in map(Note, self.notes):
            self._say(note)
            self.gathered.feed(note)
            self.renderer.event(note)

    def _has_begun(self) -> bool:
        """Whether any of the answer has come, held back or not."""
        held = self.stopped is not None and bool(self.stopped["text"] or self.stopped["reasoning"])
        return self.first_token is not None or held

    def _completion(self, error: EasyLLMError | None) -> Completion:
        """The answer, or the most that came of it in any attempt."""
        best = (error.partial if error else None) or self.stopped
        if best and len(best["text"]) >= self.gathered.text.tell():
            return best  # and no second copy is made of an answer that may be long
        return self.gathered.completion()

    def _show(self, completion: Completion) -> Completion:
        """Show what waited for the end; with -x the code, with --schema the JSON alone.

        Raises:
            IncompleteAnswer: there is no code. OutputError: it cannot be written.
        """
        if self.look.code:
            from ..render.code_blocks import code_blocks

            blocks = code_blocks(completion["text"], every=self.look.code == "all")
            completion = Completion(completion, text=blocks)
        if self.question.sampling.schema:
            from ..json_schema import unwrapped

            completion = Completion(completion, text=unwrapped(completion["text"]))
        self.renderer.finish(completion)
        return completion

    def _say(self, event: Event) -> None:
        """Notes, retries and, with -v, who is asked: on stderr."""
        if isinstance(event, Retrying):
            wait = f"; next try in {event.wait:.1f} s" if event.wait else ""
            self._note(f"{event.why}{wait} (try {event.attempt})")
        elif isinstance(event, Note):
            # In the middle of an answer it would cut what is still open on the screen in two.
            if self.gathered.text.tell():
                self._waiting.append(event.text)
            else:
                self._note(event.text)
        elif isinstance(event, Start) and self.question.common.verbose:
            self._note(f"asking {event.model} at {event.provider} (profile {event.profile})")

    def _note(self, text: str) -> None:
        if not self.look.quiet:
            self.renderer.interrupt()
            complain(f"easyllm: {text}")

    def _keep(self, text: str, error: EasyLLMError) -> None:
        """The partial answer goes to the state folder; the error line names the file."""
        try:
            path = partial_answers.keep(text)
        except OSError as failure:
            complain(f"easyllm: the partial answer could not be kept: {failure.strerror}")
            return
        error.hint = f"{error.hint}{KEPT}{path}".removeprefix("; ")

    def _say_how_it_went(self) -> None:
        """With -u tokens, times and cost; reasoning that the provider keeps to itself."""
        seen = self.look.reasoning == "show" or (self.look.reasoning == "auto" and is_terminal(2))
        if self.gathered.hidden and not self.gathered.reasoning.tell() and seen:
            tokens = self.gathered.usage.reasoning_tokens
            self._note(f"reasoning: hidden{f' ({tokens} tokens)' if tokens else ''}")
        if not self.question.show.usage:
            return
        usage = self.gathered.usage
        first = self.first_token
        reasoning = usage.reasoning_tokens
        thought = f" ({reasoning} reasoning)" if reasoning else ""
        parts = [
            f"{usage.prompt_tokens} tokens in" if usage.prompt_tokens is not None else "",
            f"{usage.completion_tokens} out{thought}"
            if usage.completion_tokens is not None
            else "",
            f"first token {first - self.began:.2f} s" if first else "",
            f"{time.monotonic() - self.began:.2f} s",
            self._speed(usage.completion_tokens),
            f"${usage.cost_usd:.6f}" if usage.cost_usd is not None else "",
        ]
        self._note(", ".join(part for part in parts if part))

    def _speed(self, tokens: int | None) -> str:
        """Tokens a second from the first one on; "" where they did not come one by one."""
        since = time.monotonic() - self.first_token if self.first_token else 0.0
        if not tokens or not since or self.question.run.stream is False:
            return ""
        return f"{(tokens - 1) / since:.0f} tokens/s"

    def _finish(self, error: EasyLLMError | None, completion: Completion) -> int:
        """Print the outcome; a --json object that cannot be written leaves its text in a file."""
        first = self.first_token
        outcome = Outcome(
            error=error,
            completion=completion,
            profile=self.gathered.start.profile or self.profile or None,
            cost_usd=self.gathered.usage.cost_usd,
            attempts=self.gathered.attempts,
            ms=round((time.monotonic() - self.began) * 1000),
            ms_first_token=round((first - self.began) * 1000) if first else None,
            notes=self.gathered.notes,
        )
        common = self.question.common

        def lost(failure: OutputError) -> None:
            if completion["text"]:
                self._keep(completion["text"], failure)

        return finish(
            outcome, json=common.json, jsonl=self.look.jsonl, debug=common.debug, lost=lost
        )


REASONS = {
    "length": ("the answer was cut at the model's own token limit", "set --max-tokens"),
    "content_filter": ("the provider's filter cut the answer", "rephrase the prompt"),
    "tool_calls": ("the model called a tool, and tools are not supported", "ask again"),
}


def verdict(
    completion: Completion, limited: bool, reasoning: str, schema: Schema | None = None
) -> str:
    """A note for the user ("" = none) about an answer that counts (DESIGN §7).

    `limited`: the request that was answered held a limit of the user's. `reasoning`: the option.
    Raises:
        IncompleteAnswer: the answer does not count. MalformedAnswer: it does not fit the schema.
    """
    if reasoning == "only" and not completion["reasoning"]:
        raise _incomplete("the model sent no reasoning", "leave out --reasoning only")
    reason = completion["finish_reason"]
    cut_as_asked = reason == "length" and limited
    if schema and (completion["complete"] or cut_as_asked):
        schema.check(completion)
    if completion["complete"]:
        return ""
    if cut_as_asked:
        return "the answer was cut at the token limit that you set (length)"
    usual = (f'the answer ended with finish_reason "{reason}"', "ask again")
    raise _incomplete(*REASONS.get(reason or "", usual))


def _incomplete(message: str, hint: str) -> IncompleteAnswer:
    return IncompleteAnswer(message, hint=hint, retryable=False)


def answer(question: Question) -> int:
    """Ask, show, judge; gives the exit code.

    Raises:
        EasyLLMError: what is wrong before anything is sent.
    """
    look = look_of(question)
    ask = question.ask
    refuse_files_among(question.words, ask, question.command)
    schema = schema_of(question, look)
    profile, fallbacks = chosen(
        question.target, question.sampling, question.run, question.common.timeout,
        offers=may_offer(question),
    )  # fmt: skip
    of_the_call = {"schema": schema and schema.document, "elicit": question.elicit}
    profile = profile.with_(**of_the_call)
    fallbacks = [one.with_(**of_the_call) for one in fallbacks]
    common = question.common
    source = question.source or Stdin(ask.no_stdin, common.quiet, common.timeout)
    messages = conversation(question.words, ask, source, list(question.pictures))
    messages = with_system(messages, profile.system)
    lacks_input = source.was_empty and bool(profile.strict)  # then an error says so, no note
    notes = [*notes_on(question), *([] if lacks_input else source.notes)]
    if question.run.dry_run:
        return dry_run(profile, messages, question, notes)
    renderer = choose(look)
    events = LLMService().stream(
        profile, messages, stream=question.run.stream is not False, shown=renderer.shown,
        max_bytes=question.run.max_output_bytes or MAX_TEXT_BYTES,
        verdict=lambda answer, limited: verdict(answer, limited, look.reasoning, schema),
        fallbacks=fallbacks,
    )  # fmt: skip
    road = Road(question, look, renderer, profile.name, notes)
    road.lacks_input = lacks_input
    return road.travel(events)


def notes_on(question: Question) -> list[str]:
    """What to say of the prompt's own words."""
    ask = question.ask
    note = "" if ask.file or ask.image else note_on_files_among(question.words)
    return [note] if note else []


def dry_run(profile: Profile, messages: list[Message], question: Question, notes: list[str]) -> int:
    """Print the request that would be sent, keys as ***; no network, no key needed."""
    from ..pipeline.think_prompt import asked
    from ..providers import provider_for
    from ..providers.http import HTTPProvider
    from ..render.json import print_object

    provider = provider_for(profile)
    if profile.elicit == "always":
        messages = asked(provider, messages)
    if not isinstance(provider, HTTPProvider):
        raise UsageError(f"--dry-run cannot show what {profile.provider} sends")
    made = provider.dry_request(messages, stream=question.run.stream is not False)
    for note in [] if question.common.quiet else notes:
        complain(f"easyllm: {note}")
    headers = {name: str(value) for name, value in made.headers.items()}
    print_object({"method": made.method, "url": made.url, "headers": headers, "body": made.body})
    return 0
