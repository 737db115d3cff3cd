"""The completeness stage: rejects an answer without text, and one that its caller does not accept.

It also records every event of the stages inside it in the Call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..errors import FilteredError, IncompleteAnswer, MalformedAnswer
from ..events import Done, Event, Note
from .call import Attempt, Call
from .collector import Collector


async def check_completeness(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Record every event; at Done, accept the answer or raise.

    Raises:
        EasyLLMError: as `require_complete` and the call's `verdict`.
    """
    events = attempt()
    try:
        async for event in events:
            call.record(event)
            if isinstance(event, Done) and (note := _judge(call, event)):
                yield call.record(Note(note))
            yield event

    finally:
        await events.aclose()


def _judge(call: Call, done: Done) -> str:
    """Accept the answer or raise; returns a note for the user ("" = none)."""
    strict = bool(call.profile and call.profile.strict)
    require_complete(call.collector, done, strict)
    note = call.verdict(call.completion(), done.limited) if call.verdict else ""
    call.accept()
    return note


def require_complete(collector: Collector, done: Done, strict: bool) -> None:
    """Raise if the answer has no text, or if `strict` is set and it is not complete.

    Raises:
        FilteredError: a content filter blocked the whole answer.
        IncompleteAnswer: no text because of the token limit, a tool call or reasoning alone; or
            `strict` and not complete.
        MalformedAnswer: the answer is empty for no known reason.
    """
    reason = done.finish_reason
    if collector.text.getvalue().strip():
        if strict and not done.complete:
            raise IncompleteAnswer(f"the answer is not complete: {reason}", retryable=False)
        return
    if reason == "content_filter":
        raise FilteredError(
            "the provider's content filter blocked the answer", hint="rephrase the prompt"
        )
    if reason == "tool_calls":
        raise IncompleteAnswer(
            "the model called a tool, and tools are not supported", retryable=False
        )
    if collector.reasoning.tell() or collector.has_hidden_reasoning:
        raise IncompleteAnswer(
            "the model only reasoned and gave no answer",
            hint="raise --max-tokens" if reason == "length" else "ask again, or raise --max-tokens",
            retryable=False,
        )
    if reason == "length":
        raise IncompleteAnswer(
            "all tokens were used up before any text came",
            hint="raise --max-tokens: a reasoning model spends them on thinking first",
            retryable=False,
        )
    why = "" if done.complete else f' (finish_reason "{reason}")'
    raise MalformedAnswer(f"the answer is empty{why}", hint="ask again, or try another model")
