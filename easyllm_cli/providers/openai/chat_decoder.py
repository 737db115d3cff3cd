"""Reads Chat Completions' answers: chunks of a stream and whole bodies (WIRE §1b, §2, §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import Event, Reasoning, Text, Usage
from ..decoder import MORE_ANSWERS, Decoder
from ..finish_reasons import is_claim
from ..json_values import count, dollars, table

# Gateways mirror one in another, so the first that says something is taken, never two (trap 7).
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
THINKING = ("thinking", "reasoning")  # types of a part of the content
LATE = "the server sent more text after the answer's end: left out"


class ChatDecoder(Decoder):
    """`choices[0].delta` or `.message`; a finish_reason claims the end, `[DONE]` is the end."""

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._done = False
        self._reasoned = False
        self._from_message = False  # the text so far came in `message`, not in deltas

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event == "[DONE]":
            self.ended = self.over = self._done = True
            return
        yield from super().read(body, event)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        usage = body.get("usage") or table(body.get("x_groq")).get("usage")
        if isinstance(usage, dict):
            self._count(usage)
        choices = body.get("choices")
        if isinstance(choices, list) and choices:
            if self.index is None:
                self.choose(choices)
            for choice in choices:
                if isinstance(choice, dict):
                    mine = (choice.get("index") or 0) == self.index and not self._done
                    yield from self._choice(choice) if mine else self._leave(choice)
        elif usage and self.ended and self.plausible:
            self.mark()  # the last frame but for `[DONE]`

    def _leave(self, choice: dict[str, Any]) -> Iterator[Event]:
        """Another answer than ours, or what stands behind `[DONE]`, which is no claim."""
        said = table(choice.get("delta")) or table(choice.get("message"))
        if said.get("content"):
            yield from self.tell(LATE if self._done else MORE_ANSWERS)

    def _count(self, usage: dict[str, Any]) -> None:
        """Take counts in, but none that say nothing."""
        counts = usage_of(usage)
        if self.usage is None or counts != Usage():
            self.usage = counts

    def _choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            yield from self._said(delta)
        if isinstance(message, dict):
            yield from self._message(message)
        if "usage" in choice and isinstance(choice["usage"], dict):
            self._count(choice["usage"])
        if "error" in choice:
            self.refuse_error(choice)
        reason = choice.get("finish_reason")
        if reason and is_claim(reason):
            self.finished(reason)
        elif self.whole and isinstance(message, dict):
            self.ended = True  # a whole body that could be parsed was not cut

    def _message(self, message: dict[str, Any]) -> Iterator[Event]:
        """The whole answer, or a piece of it; what deltas have brought is said already."""
        wrote = self.wrote and not self._from_message
        reasoned, refused = self._reasoned and not self._from_message, self.refusal
        for event in self._said(message):
            if not (wrote if isinstance(event, Text) else reasoned):
                self._from_message = True
                yield event
        if refused and not self._from_message:
            self.refusal = refused

    def _said(self, said: dict[str, Any]) -> Iterator[Event]:
        """What a delta or a message holds."""
        content = said.get("content")
        # Most deltas hold nothing else.
        text_alone = isinstance(content, str) and len(said) == 1 + ("role" in said)
        if not text_alone:
            for event in _reasoning(said):
                self._reasoned = True
                yield event
        if isinstance(content, str):
            if content:
                self.wrote = True
                yield Text(content)
        elif content:
            self.left_out = self.left_out or _no_text(content)
            for event in parts_of(content):
                self.wrote = self.wrote or isinstance(event, Text)
                yield event
        if not text_alone:
            self._beside_text(said)

    def _beside_text(self, said: dict[str, Any]) -> None:
        """What is neither text nor reasoning: a refusal, calls of tools, images, sound, errors."""
        refusal = said.get("refusal")
        if isinstance(refusal, str):
            self.refused(refusal)
        call = said.get("function_call")
        if said.get("tool_calls") or (isinstance(call, dict) and call.get("name")):
            self.because("tool_calls")
        if said.get("images"):
            self.left_out = "an image"
        elif said.get("audio"):
            self.left_out = "audio"
        self.refuse_error(said)


def _reasoning(delta: dict[str, Any]) -> Iterator[Event]:
    """The reasoning of one delta, whichever field holds it."""
    for field in REASONING_FIELDS:
        text = delta.get(field)
        if isinstance(text, str) and text:
            yield Reasoning(text)
            return
    details = delta.get("reasoning_details")
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        text = detail.get("text") or detail.get("summary")
        if isinstance(text, str) and text:
            yield Reasoning(text)
        elif detail.get("type") == "reasoning.encrypted":
            yield Reasoning("", hidden=True)


def parts_of(content: Any) -> Iterator[Event]:
    """Content that is text, or one part or a list of them: text, and Mistral's thinking."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            if part:
                yield Text(part)
            continue
        part = table(part)
        if part.get("type") in THINKING:
            inner = part.get("thinking") or part.get("reasoning") or part.get("text")
            for event in parts_of(inner):
                if isinstance(event, Text):
                    yield Reasoning(event.text)
            continue
        text = part.get("text")
        text = text.get("value") if isinstance(text, dict) else text
        if isinstance(text, str) and text:
            yield Text(text)


def _no_text(content: Any) -> str:
    """What the parts of a content are, where one is no text; "" = all are."""
    parts = content if isinstance(content, list) else [content]
    kinds = " ".join(str(table(part).get("type")) for part in parts)
    return "an image" if "image" in kinds else "audio" if "audio" in kinds else ""


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts as OpenAI reports them in both its protocols, and as others do.

    DeepSeek's cache hits, Perplexity's and Moonshot's counts beside the details, OpenRouter's cost.
    """
    prompt = counted(usage, "prompt_tokens", "input_tokens")
    total = counted(usage, "total_tokens")
    given = _details(usage, "prompt_tokens_details", "input_tokens_details")
    written = _details(usage, "completion_tokens_details", "output_tokens_details")
    reasoning = counted(usage | written, "reasoning_tokens")
    return Usage(
        prompt,
        _with_reasoning(
            prompt, counted(usage, "completion_tokens", "output_tokens"), reasoning, total
        ),
        total,
        reasoning,
        counted(
            usage | given, "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"
        ),
        cost_usd=dollars(usage.get("cost")),
    )


def _details(usage: dict[str, Any], *names: str) -> dict[str, Any]:
    """The details under the first of these names that holds any, without what is null."""
    found = next((table(usage[name]) for name in names if usage.get(name)), {})
    return {name: value for name, value in found.items() if value is not None}


def counted(usage: dict[str, Any], *names: str) -> int | None:
    """The first of these counts that is one."""
    return next((one for name in names if (one := count(usage.get(name))) is not None), None)


def _with_reasoning(
    prompt: int | None, completion: int | None, reasoning: int | None, total: int | None
) -> int | None:
    """Tokens of the answer, its reasoning among them: some vendors (xAI) count it beside them."""
    if completion is None or not reasoning:
        return completion
    apart = None not in (prompt, total) and (prompt or 0) + completion + reasoning == total
    return completion + reasoning if apart or reasoning > completion else completion
