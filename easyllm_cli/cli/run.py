"""The one road from a command line to an answer: profile, messages, events, verdict, exit code."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ..errors import EasyLLMError, UsageError
from ..events import (
    MAX_TEXT_BYTES,
    Collector,
    Completion,
    Event,
    Note,
    Reasoning,
    Retrying,
    Start,
    Text,
)
from ..messages import Image, Message
from ..profiles import Profile
from ..render import Look, choose, is_terminal
from ..render.output import complain
from ..render.plain import Renderer
from ..service import LLMService
from . import partial, running
from .options import Ask, Common, Run, Sampling, Show, Target
from .outcome import Outcome, finish
from .profile import chosen
from .prompt import Stdin, conversation
from .verdict import verdict


@dataclass(eq=False, repr=False)
class Question:
    """What a command hands to the road: its words, pictures and options."""

    words: list[str]
    target: Target
    ask: Ask
    sampling: Sampling
    show: Show
    common: Common
    run: Run
    whole: bool = True
    reasoning: str = "auto"
    pictures: tuple[Image, ...] = ()
    source: Stdin | None = None


def answer(question: Question) -> int:
    """Ask, show, judge; gives the exit code.

    Raises:
        EasyLLMError: what is wrong before anything is sent.
    """
    look = look_of(question)
    profile, fallbacks = chosen(question.target, question.sampling, question.run)
    source = question.source or Stdin(question.ask.no_stdin)
    messages = conversation(question.words, question.ask, source, list(question.pictures))
    messages = with_system(messages, profile)
    if question.run.dry_run:
        return dry_run(profile, messages, question)
    events = LLMService().stream(
        profile, messages, stream=question.run.stream is not False,
        shown=(renderer := choose(look)).shown, fallbacks=fallbacks,
    )  # fmt: skip
    return Road(question, look, renderer, [profile, *fallbacks]).travel(events)


def look_of(question: Question) -> Look:
    """The options of the group Show, checked against each other."""
    show, common = question.show, question.common
    if common.json and show.jsonl:
        raise UsageError("--json and --jsonl do not go together", hint="choose one")
    if show.reasoning and show.hide_reasoning and show.reasoning != "hide":
        raise UsageError("-R and --reasoning do not go together", hint="choose one")
    if show.code and show.reasoning in ("only", "tags"):
        raise UsageError(f"-x and --reasoning {show.reasoning} do not go together")
    grows = question.run.stream is True or not question.whole
    return Look(
        whole=not grows,
        reasoning="hide" if show.hide_reasoning else show.reasoning or question.reasoning,
        json=common.json, jsonl=show.jsonl, code=show.code,
        color=common.color or "auto", quiet=common.quiet,
    )  # fmt: skip


def with_system(messages: list[Message], profile: Profile) -> list[Message]:
    """The profile's system prompt, unless the call has one."""
    if profile.system is None or any(one.role == "system" for one in messages):
        return messages
    return [Message("system", (profile.system,)), *messages]


def dry_run(profile: Profile, messages: list[Message], question: Question) -> int:
    """Print the request that would be sent; no network, no key needed."""
    from ..providers import provider_class
    from ..providers.wire import WireProvider
    from ..render.output import Stream

    provider = provider_class(profile.provider or "")(profile)
    if not isinstance(provider, WireProvider):
        raise UsageError(f"--dry-run cannot show what {profile.provider} sends")
    line = provider.dumped(messages, stream=question.run.stream is not False)
    Stream(1, terminal=False).write(line + "\n")
    return 0


class Road:
    """One answer under way: what has come, what is shown, how it ended."""

    def __init__(
        self, question: Question, look: Look, renderer: Renderer, profiles: list[Profile]
    ) -> None:
        self.question = question
        self.look = look
        self.renderer = renderer
        self.profiles = profiles
        self.gathered = Collector(question.run.max_output_bytes or MAX_TEXT_BYTES)
        self.best: str = ""
        self.began = time.monotonic()
        self.first_token: float | None = None

    def travel(self, events: AsyncIterator[Event]) -> int:
        """The whole way; gives the exit code."""
        timeout = self.question.common.timeout
        error = running.run(self._listen(events), timeout, lambda: self.first_token is not None)
        note = ""
        try:
            if error is None:
                error, note = verdict(*self._judged(), self.look.reasoning)
            completion = self.gathered.completion()
            if error is None or (self.question.show.partial and completion["text"]):
                self.renderer.finish(completion)
            self.renderer.close()
        except EasyLLMError as failure:
            error = error or failure
        if note:
            self.gathered.notes.append(note)
            self._note(note)
        return self._end(error)

    async def _listen(self, events: AsyncIterator[Event]) -> None:
        """Take every event in and show it."""
        closing: Any = events
        async with aclosing(closing):
            async for event in closing:
                if isinstance(event, Text | Reasoning):
                    self.first_token = self.first_token or time.monotonic()
                else:
                    self._say(event)
                self.gathered.feed(event)
                self.renderer.event(event)

    def _say(self, event: Event) -> None:
        """Notes, retries and, with -v, who is asked: on stderr."""
        if isinstance(event, Retrying):
            text = "".join(self.gathered.text)
            self.best = max(self.best, text, key=len)
            wait = f"; next try in {event.wait:.1f} s" if event.wait else ""
            self._note(f"{event.why}{wait} (try {event.attempt})")
        elif isinstance(event, Note):
            self._note(event.text)
        elif isinstance(event, Start) and self.question.common.verbose:
            self._note(f"asking {event.model} at {event.provider} (profile {event.profile})")

    def _note(self, text: str) -> None:
        if not self.look.quiet:
            complain(f"easyllm: {text}")

    def _judged(self) -> tuple[Completion, Profile]:
        """The answer, and the profile that gave it."""
        name = self.gathered.start.profile
        answered = next((one for one in self.profiles if one.name == name), self.profiles[0])
        return self.gathered.completion(), answered

    def _end(self, error: EasyLLMError | None) -> int:
        """Keep what is not shown, print usage and the outcome."""
        completion = self.gathered.completion()
        text = max(completion["text"], self.best, key=len)
        if error is not None and error.partial and len(error.partial["text"]) > len(text):
            text = error.partial["text"]
        if error is not None and text and not completion["text"]:
            completion["text"] = text
        if error is not None and text and not self.renderer.wrote and not self.look.json:
            self._keep(text, error)
        self._say_hidden()
        if self.question.show.usage and not self.look.quiet:
            complain(self._usage_line())
        elapsed = round((time.monotonic() - self.began) * 1000)
        first = self.first_token
        outcome = Outcome(
            error=error,
            completion=completion,
            profile=self.gathered.start.profile or self.profiles[0].name or None,
            cost_usd=self.gathered.usage.cost_usd,
            attempts=self.gathered.attempts,
            ms=elapsed,
            ms_first_token=round((first - self.began) * 1000) if first else None,
            notes=self.gathered.notes,
        )
        common = self.question.common
        return finish(outcome, json=common.json, jsonl=self.look.jsonl, debug=common.debug)

    def _say_hidden(self) -> None:
        """Reasoning that the provider keeps to itself, where reasoning would be shown."""
        seen = self.look.reasoning == "show" or (self.look.reasoning == "auto" and is_terminal(2))
        if self.gathered.hidden and not self.gathered.reasoning and seen:
            tokens = self.gathered.usage.reasoning_tokens
            self._note(f"reasoning: hidden{f' ({tokens} tokens)' if tokens else ''}")

    def _keep(self, text: str, error: EasyLLMError) -> None:
        """The partial answer goes to the state folder; the error line names the file."""
        try:
            path = partial.keep(text)
        except OSError as failure:
            complain(f"easyllm: the partial answer could not be kept: {failure.strerror}")
            return
        error.hint = f"{error.hint}; " * bool(error.hint) + f"what came is in {path}"

    def _usage_line(self) -> str:
        """Tokens, times and cost, what is unknown left out."""
        usage = self.gathered.usage
        now = time.monotonic()
        parts = [
            f"{usage.prompt_tokens} tokens in" if usage.prompt_tokens is not None else "",
            f"{usage.completion_tokens} out" if usage.completion_tokens is not None else "",
            f"{usage.reasoning_tokens} of them reasoning" if usage.reasoning_tokens else "",
            f"first token {self.first_token - self.began:.2f} s" if self.first_token else "",
            f"{now - self.began:.2f} s",
            f"${usage.cost_usd:.6f}" if usage.cost_usd is not None else "",
        ]
        return "easyllm: " + ", ".join(part for part in parts if part)
