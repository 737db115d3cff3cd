"""Makes the history's row of a finished Call: what was asked, how it ended, tokens and times."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import EasyLLMError
from ..events import TOKEN_COUNTS
from ..messages import CachedText, Message, Part
from ..secret import LONG_KEY_CHARS, WHOLE_KEY_CHARS, mask_whole_keys, redact

if TYPE_CHECKING:
    from ..config.profile import Profile
    from ..images import Image
    from ..pipeline.call import Call

LIBRARY = "library"  # the column `command` of a call of the library
MAX_KEPT_BYTES = 256 * 1024  # a longer text is kept as its beginning and its end
KEPT_END_BYTES = 64 * 1024  # of each of both
MAX_ERROR_CHARS = 300
MAX_TITLE_CHARS = 80
MAX_NAME_CHARS = 200  # of a model, or of another word that a server sent
MAX_INTEGER = 10**12  # of a count; sums of millions of calls stay within 64 bits, SQLite's limit


class CallContext:
    """What a Call does not know of itself: who asked, where, and how the command ended.

    `messages`: what this call added to its conversation. `conversation`: its id, None = no texts
    are kept. `name`: a new conversation's name. `terminal`: where `-c` continues it. `title`: the
    prompt as typed. `asked`: the profile that was asked first. `cost_source`: see docs/json.md.
    """

    def __init__(
        self,
        command: str,
        exit_code: int = 0,
        *,
        messages: Sequence[Message] = (),
        error: EasyLLMError | None = None,
        conversation: str | None = None,
        name: str | None = None,
        terminal: str | None = None,
        title: str = "",
        asked: Profile | None = None,
        cost_usd: float | None = None,
        cost_source: str | None = None,
    ) -> None:
        self.command = command
        self.exit_code = exit_code
        self.messages = messages
        self.error = error
        self.conversation = conversation
        self.name = name
        self.terminal = terminal
        self.title = title
        self.asked = asked
        self.cost_usd = cost_usd
        self.cost_source = cost_source


class Record:
    """Rows for the tables `call`, `image` and `conversation`; the last is None without texts."""

    def __init__(
        self,
        call: dict[str, Any],
        images: Sequence[dict[str, Any]] = (),
        conversation: dict[str, Any] | None = None,
    ) -> None:
        self.call = call
        self.images = images
        self.conversation = conversation


def record_from_call(call: Call, context: CallContext) -> Record:
    """The rows of a call: all of it with a conversation, else numbers and names without any text.

    The call must have asked a profile. Keys are masked. A text of more than 256 KB is shortened.
    """
    row = _numbers(call, context)
    if context.conversation is None:
        return Record(row)
    texts, images = _texts(call, context)
    conversation = {
        "id": context.conversation,
        "name": context.name,
        "started_at": call.started_at,
        "title": make_title(context.title or texts["prompt"] or ""),
    }
    places = {"conversation": context.conversation, "terminal": context.terminal}
    return Record({**row, **places, **texts}, images, conversation)


def make_title(prompt: str) -> str:
    """The title of a conversation that begins with this prompt: one line, with keys masked."""
    return mask_whole_keys(storable(" ".join(prompt.split())))[:MAX_TITLE_CHARS]


def _numbers(call: Call, context: CallContext) -> dict[str, Any]:
    """The columns that hold no text of the user's, of the model's or of the server's."""
    error = context.error or call.error
    usage, profile = vars(call.usage), call.profile
    assert profile is not None
    return {
        "id": call.id,
        "started_at": call.started_at,
        "command": context.command,
        "profile": _clean_name(call.profile_name, profile.name) or None,
        "provider": _clean_name(call.provider, profile.provider),
        "model": _clean_name(call.model, profile.model),
        "host": find_host(profile),
        "finish_reason": _clean_name(call.finish_reason),
        "complete": int(call.complete and call.error is None),
        "exit_code": context.exit_code,
        "error_kind": error.kind if error else None,
        **{key: valid_count(usage.get(key)) for key in TOKEN_COUNTS},
        "estimated": int(call.usage.estimated),
        "usage_all": _usage_of_attempts(call),
        "cost_usd": context.cost_usd,
        "cost_source": context.cost_source,
        "ms": call.ms,
        "ms_first_token": call.ms_first_token,
        "attempts": len(call.attempts),
        "route": _route_json(call, with_reasons=context.conversation is not None),
        "replayed": json.dumps(call.replayed) if call.replayed else None,
        "options": _requested_options(call, context.asked),
    }  # fmt: skip


def _clean_name(name: str | None, ours: str | None = None) -> str | None:
    """A name that a server may have sent, without keys, at most 200 characters.

    `ours`: the profile's, taken where the server sent none. Part of a key is 8 characters or more.
    """
    name = name or ours
    if not name or name == ours or len(name) < WHOLE_KEY_CHARS:
        return name and storable(name)
    return mask_whole_keys(redact(storable(name), LONG_KEY_CHARS))[:MAX_NAME_CHARS]


def find_host(profile: Profile) -> str | None:
    """The host of the profile's endpoint; None for a model in this process or an unknown host."""
    from ..config.endpoints import resolve_endpoint, runs_in_process
    from ..errors import ConfigError

    if runs_in_process(profile.provider):
        return None
    try:
        return resolve_endpoint(profile).host or None
    except ConfigError:
        return None


def _usage_of_attempts(call: Call) -> str | None:
    """JSON of the tokens of all attempts; None where it is the usage of the answer.

    It stands there, too, where an attempt was cut and counted none: `easyllm usage` then knows that
    the tokens are not all of them.
    """
    all_counted = all(each.usage or not each.has_output for each in call.attempts)
    if call.usage_all is None or (all_counted and call.usage_all == call.usage):
        return None
    usage = vars(call.usage_all)
    return json.dumps({key: valid_count(usage.get(key)) for key in TOKEN_COUNTS})


def _requested_options(call: Call, asked: Profile | None) -> str | None:
    """JSON of the request's parameters without texts; the profile, where another one answered."""
    profile = call.profile
    assert profile is not None
    options = {key: value for key, value in profile.sampling().items() if key != "stop"}
    if profile.reasoning:
        options["reasoning"] = profile.reasoning
    if profile.think:
        options["think"] = True
    if profile.schema:
        from hashlib import sha256

        document = json.dumps(profile.schema, sort_keys=True, ensure_ascii=False)
        options["schema_sha256"] = sha256(document.encode("utf-8", "replace")).hexdigest()
    first = call.attempts[0] if call.attempts else None
    if first is not None and first.profile_name != profile.name:
        options |= {"asked_profile": first.profile_name, "asked_model": _clean_name(first.model)}
        if asked is not None:
            options["asked_host"] = find_host(asked)
    from ..config.profile import SELECTED_BY_PROFILE

    if profile.selected_by != SELECTED_BY_PROFILE:
        options["config_db"] = True
    return json.dumps(options) if options else None


def _route_json(call: Call, with_reasons: bool) -> str | None:
    """JSON of how an auto profile chose; its reasons hold words of the prompt."""
    if call.route is None:
        return None
    return json.dumps(call.route if with_reasons else {**call.route, "reasons": []})


def _texts(call: Call, context: CallContext) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The text columns, and the rows of the images."""
    completion = call.completion() if call.error is None else call.longest()
    system = "\n\n".join(message.text for message in call.messages if message.role == "system")
    users = [message for message in context.messages if message.role == "user"]
    error = context.error or call.error
    texts: dict[str, str | None] = {
        "system": system or (call.profile.system if call.profile else None),
        "prompt": users[-1].text if users else None,
        "messages": _messages_json(context.messages),
        "text": completion["text"],
        "reasoning": completion["reasoning"],
    }
    masked = {key: text and mask_whole_keys(storable(text)) for key, text in texts.items()}
    kept = {key: text and shorten(text) for key, text in masked.items()}
    is_shortened = any(kept[key] != masked[key] for key in texts if key != "reasoning")
    message = redact(storable(error.message))[:MAX_ERROR_CHARS] if error else None
    return (
        {**kept, "shortened": int(is_shortened), "error": message},
        _image_rows(context.messages),
    )


def _image_rows(messages: Sequence[Message]) -> list[dict[str, Any]]:
    images = [image for message in messages for image in message.images]
    if not images:
        return []
    from .images import image_row  # only for images

    return [image_row(image, position) for position, image in enumerate(images)]


def _messages_json(messages: Sequence[Message]) -> str | None:
    """JSON of the messages; None for the usual case of one prompt with images behind it.

    An image stands as `{"image": POSITION}` with its other fields.
    """
    others = [message for message in messages if message.role != "system"]
    if len(others) == 1 and _is_plain(others[0]):
        return None
    position = 0
    objects: list[dict[str, Any]] = []
    for message in messages:
        parts: list[Any] = []
        for part in message.parts:
            parts.append(_part_object(part, position))
            position += not isinstance(part, str)
        content = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts
        objects.append({"role": message.role, "content": content, **message.fields})
    return json.dumps(objects, ensure_ascii=False)


def _is_plain(message: Message) -> bool:
    """Whether the message is a user's: a text, images without other fields, and no more."""
    texts = [part for part in message.parts if isinstance(part, str)]
    return (
        message.role == "user"
        and not message.fields
        and len(texts) <= 1
        and message.parts[: len(texts)] == tuple(texts)
        and not any(isinstance(text, CachedText) for text in texts)
        and not any(image.detail or image.cache_control for image in message.images)
    )


def _part_object(part: Part, position: int) -> Any:
    """A part as JSON; a text without other fields as a string."""
    if isinstance(part, CachedText):
        return {"type": "text", "text": str(part), "cache_control": part.cache_control}
    if isinstance(part, str):
        return part
    fields = {"detail": part.detail, "cache_control": part.cache_control}
    return {"image": position, **{key: value for key, value in fields.items() if value}}


def messages_from_row(row: Mapping[str, Any], images: Sequence[Image]) -> list[Message]:
    """The messages that a call added to its conversation; the reverse of its columns.

    `images`: the images of the call, in order. System messages only where a list had them.
    """
    if row["messages"] is None:
        prompt = (row["prompt"],) if row["prompt"] else ()
        return [Message("user", (*prompt, *images))]
    messages: list[Message] = []
    for item in json.loads(row["messages"]):
        content = item["content"]
        if isinstance(content, list):
            content = [_part_from_object(part, images) for part in content]
        messages.append(Message.of({**item, "content": content}))
    return messages


def _part_from_object(part: Any, images: Sequence[Image]) -> Any:
    if not isinstance(part, dict) or "image" not in part:
        return part
    fields = {key: value for key, value in part.items() if key != "image"}
    return replace(images[part["image"]], **fields)


def shorten(text: str) -> str:
    """The text, or of more than 256 KB its first and last 64 KB with a line in between."""
    if len(text) * 4 <= MAX_KEPT_BYTES or len(data := text.encode()) <= MAX_KEPT_BYTES:
        return text
    from hashlib import sha256

    left_out = len(data) - 2 * KEPT_END_BYTES
    note = f"[{left_out} bytes left out; SHA-256 of the whole text: {sha256(data).hexdigest()}]"
    start = data[:KEPT_END_BYTES].decode("utf-8", "ignore")
    end = data[-KEPT_END_BYTES:].decode("utf-8", "ignore")
    return f"{start}\n\n{note}\n\n{end}"


def storable(text: str) -> str:
    """The text with `?` in place of lone surrogates, which are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def valid_count(value: Any) -> int | None:
    """The number if it can be a count, else None."""
    return value if isinstance(value, int) and 0 <= value <= MAX_INTEGER else None
