"""Builds the messages to send from the prompt, stdin, files, images and message lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..images import Image
from ..messages import Message
from .named_files import expand_patterns
from .options.input import InputOptions
from .prompt_text import (
    STDIN_PLACEHOLDER,
    join_with_blank_line,
    join_words,
    read_text_file,
    require_utf8,
)
from .stdin import Stdin, is_blank

if TYPE_CHECKING:
    from .template import Template


def build_messages(
    words: list[str],
    input: InputOptions,
    source: Stdin,
    images: list[Image],
    template: Template | None = None,
) -> list[Message]:
    """Build the messages: system prompt, message list, then files, stdin and prompt.

    `template`: what stdin and the prompt are put into.
    An empty stdin that was expected to bring text adds a note to `source`.
    Raises:
        UsageError: there is no prompt, or a file cannot be read.
    """
    messages = _read_message_list(input.messages, source) if input.messages else []
    text = _join_prompt(words, source if input.messages != "-" else None, template)
    files = [format_file(name) for name in expand_patterns(input.file or [])]
    images = images + [Image.of(name, paths=True) for name in expand_patterns(input.image or [])]
    if input.system is not None:
        messages = [message for message in messages if message.role != "system"]
        messages.insert(0, Message("system", (require_utf8(input.system),)))
    if files or text.strip() or images:
        if not text.strip() and not files and not any(m.role == "user" for m in messages):
            raise UsageError("no prompt", hint='say what to do with the image, e.g. "describe"')
        messages.append(user_message(files, text, images))
    if not any(m.text.strip() or m.images for m in messages if m.role != "system"):
        hint = 'add words, such as "What is Python?", or pipe text in'
        if source.kind == "terminal":
            hint += "; easyllm repl asks question after question"
        if source.kind == "rest-of-file":
            hint = "stdin is a file that was already read in part: name it with -"
        raise UsageError("empty prompt" if words else "no prompt", hint=hint)
    source.note_emptiness()
    return messages


def _join_prompt(words: list[str], source: Stdin | None, template: Template | None) -> str:
    """Join stdin and the prompt; the template, `{stdin}` or `-` says where stdin goes."""
    prompt = join_words(words)
    has_placeholder = STDIN_PLACEHOLDER in prompt or bool(template and template.needs_stdin)
    if source is None:
        if has_placeholder:
            raise UsageError("{stdin} is in the prompt, and stdin holds the message list")
        return template.fill(prompt, "") if template else prompt
    text = source.read_text(forced="-" in words)
    if has_placeholder and is_blank(text):
        source.refuse_emptiness()
    if template:
        return template.fill(prompt, text)
    if has_placeholder:
        return prompt.replace(STDIN_PLACEHOLDER, text)
    if not text or not prompt:
        return text or prompt
    if "-" in words and words.index("-") > 0:
        before = " ".join(words[: words.index("-")])
        after = " ".join(word for word in words[words.index("-") + 1 :] if word != "-")
        return "\n\n".join(part for part in (before, text, after) if part)
    return join_with_blank_line(text, prompt)


def user_message(files: Sequence[str], text: str, images: Sequence[Image]) -> Message:
    """The user's message: the files as `format_file` gives them, the text, and the images."""
    content = "\n\n".join([*files, text] if text else files)
    return Message("user", (content, *images) if content else tuple(images))


def format_file(name: str) -> str:
    """A text file for the prompt: its name, then its unchanged content. Raises UsageError."""
    return f"{name}:\n{read_text_file(name, 'the file', 'it is an image: -a FILE')}"


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
