"""Calls that have ended, and rows of the history made of them."""

import time
from collections.abc import Sequence
from typing import Any

from easyllm_cli import history
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Done, Reasoning, Retrying, Start, Text, Usage
from easyllm_cli.history.record import CallContext, Record, record_from_call
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.call import Call
from easyllm_cli.providers import provider_for

USAGE = Usage(prompt_tokens=12, completion_tokens=34, total_tokens=46)
FIRST = provider_for(Profile(name="first", provider="openai", model="f"))


def finished_call(
    text: str = "Hello",
    *,
    id: str = "0aaaaaaaaaaaaaaa",
    messages: Sequence[Message] = (),
    reasoning: str | None = None,
    error: EasyLLMError | None = None,
    profile: Profile | None = None,
    started_at: float | None = None,
    usage: Usage = USAGE,
    failed_before: Usage | None = None,
    cut_before: str = "",
    finish_reason: str = "stop",
    answered_by: str = "",
) -> Call:
    """A call that a server has answered with the text.

    `answered_by`: the model that the server names, default the profile's. `failed_before`: the
    usage of an attempt before, at the profile `first` with the model `f`. `cut_before`: the text of
    an attempt before that counted no tokens.
    """
    call = Call(list(messages))
    call.id = id
    call.started_at = time.time() if started_at is None else started_at
    profile = profile or Profile(name="t", provider="ollama", model="m")
    if failed_before is not None:
        call.source = FIRST
        call.record(Start("openai", "f", "first"))
        call.record(failed_before)
        call.record(Retrying(2, 0.0, "busy"))
    if cut_before:
        call.source = FIRST
        call.record(Start("openai", "f", "first"))
        call.record(Text(cut_before))
        call.record(Retrying(2, 0.0, "cut"))
    call.source = provider_for(profile)
    call.record(Start(profile.provider or "", answered_by or profile.model or "", profile.name))
    if reasoning:
        call.record(Reasoning(reasoning))
    call.record(Text(text))
    call.record(usage)
    if error is not None:
        call.fail(error)
    else:
        call.record(Done(finish_reason, True))
        call.accept()
    call.end()
    return call


def record(
    prompt: str = "Hi", text: str = "Hello", *, id: str = "0aaaaaaaaaaaaaaa", **more: Any
) -> Record:
    """The rows of an answered prompt; `conversation` and so on as in CallContext."""
    context = {key: more.pop(key) for key in list(more) if key in CONTEXT_KEYS}
    context = {"conversation": id, "command": "chat", **context}
    messages = more.pop("messages", [Message("user", (prompt,))])
    call = finished_call(text, id=id, messages=messages, **more)
    return record_from_call(call, CallContext(messages=messages, **context))


CONTEXT_KEYS = (
    "command", "exit_code", "conversation", "name", "terminal", "title", "cost_usd", "cost_source",
)  # fmt: skip


def save(*args: Any, **more: Any) -> Record:
    """Save the rows that `record` makes."""
    rows = record(*args, **more)
    history.save(rows)
    return rows
