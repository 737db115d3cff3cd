"""Makes a row, which is one question, of a line of the input; a bad line is a row with an error.

Read are the lines of OpenAI's and Anthropic's batch files, objects with `messages` or `prompt`,
texts, and the records of a table with a template.
https://platform.openai.com/docs/api-reference/batch/request-input
https://docs.anthropic.com/en/api/creating-message-batches
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import EasyLLMError, UsageError
from ..images import Image
from ..messages import Message, Part, parse_messages
from .input_file import InputFile, InputLine
from .row_settings import REFUSED_FIELDS, RowSettings, split_settings

CHAT_URLS = ("/v1/chat/completions", "/chat/completions", "/v1/messages")
SHAPES_HINT = 'a row is {"prompt": "…"}, {"messages": […]} or a line of a batch file'
FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")  # of a template; doubled braces are literal


class Row:
    """One question. `index`: its place in the input, from 0; `line`: the number of its line.

    `custom_id`: the input's own name for it; None = it has none. `settings`: what it sets itself.
    `extra`: fields of the line that say nothing about the question; they go to the output.
    `error`: why the line is no question; None = it is one. `attempts`: requests that failed before.
    """

    __slots__ = (
        "attempts", "custom_id", "error", "extra", "index", "line", "messages", "settings",
    )  # fmt: skip

    def __init__(self, index: int, line: int) -> None:
        self.index = index
        self.line = line
        self.custom_id: Any = None
        self.messages: list[Message] = []
        self.settings = RowSettings()
        self.extra: dict[str, Any] = {}
        self.error: EasyLLMError | None = None
        self.attempts = 0


class RowReader:
    """Makes rows of lines.

    `model`: the profile's, which a row may name; None = none. `template`: the prompt, with fields
    of the line such as `{text}`; None = the line itself says what is asked. `holds_json`: whether
    the lines are JSON, else each one is a prompt.
    """

    def __init__(self, model: str | None, template: str | None, holds_json: bool = True) -> None:
        self.model = model
        self.template = template
        self.holds_json = holds_json

    def read(self, index: int, line: InputLine) -> Row:
        """The row of a line; a bad one has an `error`, which names the line."""
        row = Row(index, line.number)
        try:
            if line.problem:
                raise UsageError(line.problem)
            self._fill(row, line.content)
        except EasyLLMError as error:
            message = f"line {line.number}: {error.message}"
            row.error = UsageError(message, where=error.where, hint=error.hint)
        return row

    def _fill(self, row: Row, content: str | Mapping[str, str]) -> None:
        """Set what the line says. Raises EasyLLMError if it is no question."""
        value: Any = content
        if isinstance(content, str) and self.holds_json:
            value = _parse_json(content)
        if isinstance(value, str):
            prompt = (
                value if self.template is None else fill_template(self.template, {"text": value})
            )
            row.messages = [Message("user", (require_text(prompt),))]
        elif not isinstance(value, Mapping):
            raise UsageError(f"a {type(value).__name__} is no row", hint=SHAPES_HINT)
        else:
            self._fill_from_object(row, dict(value))

    def _fill_from_object(self, row: Row, fields: dict[str, Any]) -> None:
        if self.template is not None:
            self._fill_from_template(row, self.template, fields)
            return
        row.custom_id = fields.pop("custom_id", None)
        if isinstance(fields.get("body"), Mapping):
            _check_target(fields)
            self._fill_from_body(row, dict(fields.pop("body")))
            row.extra = _without(fields, "method", "url")
        elif isinstance(fields.get("params"), Mapping):
            self._fill_from_body(row, _from_anthropic(dict(fields.pop("params"))))
            row.extra = fields
        elif "messages" in fields:
            self._check_model(fields)
            row.messages = parse_messages(fields.pop("messages"))
            row.settings, row.extra = split_settings(fields, keeps_unknown=True)
        elif "prompt" in fields:
            self._check_model(fields)
            row.messages = _prompt_messages(require_text(fields.pop("prompt")), fields)
            row.settings, row.extra = split_settings(fields, keeps_unknown=True)
        else:
            raise UsageError("it holds no question", hint=SHAPES_HINT)

    def _fill_from_template(self, row: Row, template: str, fields: dict[str, Any]) -> None:
        """Set what the template asks; a field that it uses is data, and no setting."""
        prompt = fill_template(template, fields)
        used = {match[1] for match in FIELD.finditer(template)} | REFUSED_FIELDS.keys()
        data = {name: value for name, value in fields.items() if name in used}
        others = _without(fields, *data)
        row.custom_id = fields.get("custom_id")
        others.pop("custom_id", None)
        row.messages = _prompt_messages(prompt, others)
        row.settings, extra = split_settings(others, keeps_unknown=True)
        row.extra = {**data, **extra}

    def _fill_from_body(self, row: Row, body: dict[str, Any]) -> None:
        """Set what the body of a request says; its unknown fields are sent."""
        self._check_model(body)
        row.messages = parse_messages(body.pop("messages", ()))
        row.settings, _ = split_settings(body, keeps_unknown=False)

    def _check_model(self, body: dict[str, Any]) -> None:
        """Remove `model`. Raises UsageError if it is another one than the profile's."""
        model = body.pop("model", None)
        if model is not None and model != self.model:
            asked = f'"{self.model}"' if self.model else "no model"
            raise UsageError(
                f'it names the model "{str(model)[:80]}", and the profile asks {asked}',
                hint="choose it with -m; one batch asks one model",
            )


def read_rows(input_file: InputFile, reader: RowReader) -> Iterator[Row]:
    """Every row of the input, in order. Raises as `InputFile.lines`."""
    for index, line in enumerate(input_file.lines()):
        yield reader.read(index, line)


def fill_template(template: str, fields: Mapping[str, Any]) -> str:
    """The template with the fields' values in place of `{name}`; `{{` is a brace.

    A value that is not text is written as JSON.
    Raises:
        UsageError: there is no such field.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in fields:
            known = ", ".join(f"{{{field}}}" for field in list(fields)[:10])
            raise UsageError(f'the template\'s field "{name}" is missing', hint=f"it has {known}")
        value = fields[name]
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return FIELD.sub(fill, template)


def _parse_json(text: str) -> Any:
    from ..json_schema import format_json_error, parse_strict_json

    try:
        value = parse_strict_json(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise UsageError("it is not Unicode: it holds half of a surrogate pair") from None
    except RecursionError:
        raise UsageError("it is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"it is not JSON: {format_json_error(error)}") from None


def _prompt_messages(prompt: str, fields: dict[str, Any]) -> list[Message]:
    """The messages of a prompt with the fields `system` and `images`, which are removed."""
    images = fields.pop("images", None) or []
    system = fields.pop("system", None)
    if not isinstance(images, list) or not all(isinstance(each, str) for each in images):
        raise UsageError("images must be a list of paths and URLs")
    parts: tuple[Part, ...] = (
        require_text(prompt),
        *(Image.of(each, paths=True) for each in images),
    )
    first = [] if system is None else [Message("system", (require_text(system, "system"),))]
    return [*first, Message("user", parts)]


def require_text(value: Any, name: str = "the prompt") -> str:
    """The value. Raises UsageError if it is no text, or empty."""
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}")
    if not value.strip():
        raise UsageError(f"{name} is empty")
    return value


def _check_target(fields: Mapping[str, Any]) -> None:
    """Raise UsageError for a request that is not one for an answer."""
    url, method = fields.get("url"), fields.get("method", "POST")
    if method != "POST" or (url is not None and url not in CHAT_URLS):
        raise UsageError(
            f"{str(method)[:10]} {str(url)[:80]} is not for batch", hint=f"use {CHAT_URLS[0]}"
        )


def _from_anthropic(params: dict[str, Any]) -> dict[str, Any]:
    """The params of Anthropic's Messages API as the body of Chat Completions."""
    system = params.pop("system", None)
    messages = params.pop("messages", None)
    if not isinstance(messages, list):
        raise UsageError("it holds no messages")
    converted = [_convert_message(message) for message in messages]
    if system is not None:
        converted.insert(0, _convert_message({"role": "system", "content": system}))
    if "stop_sequences" in params:
        params["stop"] = params.pop("stop_sequences")
    return {**params, "messages": converted}


def _convert_message(message: Any) -> Any:
    """A message of Anthropic's in OpenAI's shape; what is unknown stays, and is refused later."""
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list):
        return message
    return {**message, "content": [_convert_block(block) for block in content]}


def _convert_block(block: Any) -> Any:
    source = block.get("source") if isinstance(block, Mapping) else None
    if not isinstance(source, Mapping) or block.get("type") != "image":
        return block
    url = source.get("url")
    if source.get("type") == "base64":
        url = f"data:{source.get('media_type')};base64,{source.get('data')}"
    cached = {"cache_control": block["cache_control"]} if "cache_control" in block else {}
    return {"type": "image_url", "image_url": {"url": url}, **cached}


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
