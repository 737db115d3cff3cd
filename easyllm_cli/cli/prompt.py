"""Builds the messages to send from the prompt, stdin, files, images and message lists."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import UsageError
from ..images import Image
from ..messages import Message
from ..text_encoding import decode_text
from .named_files import expand_patterns
from .options.input import InputOptions
from .stdin import Stdin, is_blank

MAX_TEXT_FILE_BYTES = 256 * 1024 * 1024
STDIN_PLACEHOLDER = "{stdin}"


def build_messages(
    words: list[str], input: InputOptions, source: Stdin, images: list[Image]
) -> list[Message]:
    """Build the messages: system prompt, message list, then files, stdin and prompt.

    An empty stdin that was expected to bring text adds a note to `source`.
    Raises:
        UsageError: there is no prompt, or a file cannot be read.
    """
    messages = _read_message_list(input.messages, source) if input.messages else []
    text = _join_prompt(words, source if input.messages != "-" else None)
    files = [_format_file(name) for name in expand_patterns(input.file or [])]
    images = images + [Image.of(name, paths=True) for name in expand_patterns(input.image or [])]
    if input.system is not None:
        messages = [message for message in messages if message.role != "system"]
        messages.insert(0, Message("system", (require_utf8(input.system),)))
    if files or text.strip() or images:
        if not text.strip() and not files and not any(m.role == "user" for m in messages):
            raise UsageError("no prompt", hint='say what to do with the image, e.g. "describe"')
        content = "\n\n".join([*files, text] if text else files)
        messages.append(Message("user", (content, *images) if content else tuple(images)))
    if not any(m.text.strip() or m.images for m in messages if m.role != "system"):
        hint = 'easyllm chat "What is Python?", or pipe text in'
        if source.kind == "rest-of-file":
            hint = "stdin is a file that was already read in part: name it with -"
        raise UsageError("empty prompt" if words else "no prompt", hint=hint)
    source.note_emptiness()
    return messages


def _join_prompt(words: list[str], source: Stdin | None) -> str:
    """Join stdin and the prompt; `{stdin}` or `-` says where stdin goes."""
    prompt = require_utf8(" ".join(word for word in words if word != "-"))
    has_placeholder = STDIN_PLACEHOLDER in prompt
    if source is None:
        if has_placeholder:
            raise UsageError("{stdin} is in the prompt, and stdin holds the message list")
        return prompt
    text = source.read_text(forced="-" in words)
    if has_placeholder:
        if is_blank(text):
            source.refuse_emptiness()
        return prompt.replace(STDIN_PLACEHOLDER, text)
    if not text or not prompt:
        return text or prompt
    if "-" in words and words.index("-") > 0:
        before = " ".join(words[: words.index("-")])
        after = " ".join(word for word in words[words.index("-") + 1 :] if word != "-")
        return "\n\n".join(part for part in (before, text, after) if part)
    return text + ("\n" if text.endswith("\n") else "\n\n") + prompt


def require_utf8(text: str) -> str:
    """Return the text of the command line unchanged.

    Raises:
        UsageError: it is not UTF-8.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"the prompt is not UTF-8 at character {error.start}") from None
    return text


def _format_file(name: str) -> str:
    """A text file for the prompt: its name, then its unchanged content."""
    return f"{name}:\n{read_text_file(name, 'the file', 'it is an image: -a FILE')}"


def read_text_file(
    name: str, what: str, if_image: str = "it is an image, and text is needed"
) -> str:
    """Read a text file, or a pipe such as bash's <(command), without a byte order mark.

    `what`: what an error calls the file. `if_image`: the hint if it is an image.
    Raises:
        UsageError: it is missing, unreadable, not UTF-8 or larger than 256 MiB.
    """
    try:
        with Path(name).expanduser().open("rb") as file:
            data = file.read(MAX_TEXT_FILE_BYTES + 1)
        if len(data) > MAX_TEXT_FILE_BYTES:
            raise UsageError(f"{what} is larger than {MAX_TEXT_FILE_BYTES >> 20} MiB", where=name)
        return decode_text(data, what, name, image_hint=if_image)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot read {what}: {reason}", where=name, hint="check the path"
        ) from None


def _read_message_list(name: str, source: Stdin) -> list[Message]:
    """Read OpenAI's message list from a JSON file or stdin."""
    text = (
        source.read_text(forced=True) if name == "-" else read_text_file(name, "the message list")
    )
    if name == "-" and is_blank(text):
        raise UsageError("stdin holds no message list", hint="easyllm chat --messages - < FILE")
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the message list is not JSON: {error}", where=name) from None
    if not isinstance(items, list):
        raise UsageError(
            "the message list is not a list", where=name, hint='[{"role": "user", "content": "…"}]'
        )
    return [Message.of(item) for item in items]
