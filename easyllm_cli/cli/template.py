"""Prompt templates (-T): reads a template, checks it, and fills in its placeholders.

A template is a text file with placeholders in braces, such as {lang}. It may begin with a head
between two lines `+++` (`template_head.py`). docs/templates.md describes both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.paths import template_names, templates_folder
from ..errors import ConfigError, UsageError, suggest_name
from ..private_file import require_not_writable_by_others
from .prompt_text import STDIN_PLACEHOLDER, join_with_blank_line, read_text_file, require_utf8
from .template_head import read_head

STDIN, PROMPT = "stdin", "prompt"
# A brace that is neither doubled nor around a name is text, as in JSON.
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_-]*)\}")
HEAD_LINE = re.compile(r"\+\+\+[ \t]*(?:\r?\n|\Z)")
HEAD = re.compile(r"\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


class Template:
    """A checked template: its head and its text, cut at its placeholders.

    `parts`: text at even indexes, names of placeholders at odd ones. `values`: of the placeholders
    that are neither {stdin} nor {prompt}.
    """

    def __init__(self, head: Mapping[str, Any], parts: list[str], values: dict[str, str]) -> None:
        self.head = head
        self.parts = parts
        self.values = values

    @property
    def placeholders(self) -> list[str]:
        return self.parts[1::2]

    @property
    def needs_stdin(self) -> bool:
        return STDIN in self.placeholders

    def fill(self, prompt: str, stdin: str) -> str:
        """The prompt to send. Words and stdin are put in unchanged.

        Where the template has no {prompt}, the words come at the end; where neither it nor the
        words have {stdin}, stdin comes first.
        """
        needs_stdin = self.needs_stdin or STDIN_PLACEHOLDER in prompt
        values = {**self.values, STDIN: stdin, PROMPT: prompt.replace(STDIN_PLACEHOLDER, stdin)}
        filled = "".join(
            values[part] if index % 2 else part for index, part in enumerate(self.parts)
        )
        if PROMPT not in self.placeholders:
            filled = join_with_blank_line(filled, values[PROMPT])
        return filled if needs_stdin else join_with_blank_line(stdin, filled)


def load_template(name: str, variables: list[str], prompt: str) -> Template:
    """Read a template and check that each of its placeholders will have a value.

    `name`: of a file in the folder `prompts` beside profiles.toml, or a path with a slash.
    `variables`: NAME=TEXT each. `prompt`: the words of the command line.
    Raises:
        UsageError: there is no such template, or a placeholder has no value.
        ConfigError: the head is wrong, or others can write the file.
    """
    path = find_template(name)
    text = read_text_file(str(path), "the template")
    require_not_writable_by_others(path, "the template")
    head_match = HEAD.match(text)
    if head_match is None and HEAD_LINE.match(text):
        raise ConfigError(
            "the template's head has no end", where=str(path), hint="end it with a line +++"
        )
    head = read_head(head_match[1], path) if head_match else {}
    parts = _split_at_placeholders(text[head_match.end() :] if head_match else text)
    values = _values(parts[1::2], head.get("defaults", {}), variables, str(path))
    if PROMPT in parts[1::2] and not prompt.strip():
        raise UsageError("the template needs a prompt", where=str(path), hint="add words")
    return Template(head, parts, values)


def find_template(name: str) -> Path:
    """The path of a template. Raises UsageError: there is none of this name."""
    if "/" in name:
        return Path(name)
    try:
        folder = templates_folder()
    except RuntimeError as error:
        raise UsageError(f"there is no folder for templates: {error}") from None
    path = folder / f"{name}.md"
    try:
        is_there = path.is_file()
    except OSError:  # the name is too long for any file
        is_there = False
    if not is_there:
        known = template_names()
        hint = suggest_name(name, known) if known else f"write {path}, or name a file: ./{name}"
        raise UsageError(f'there is no template "{name}"', where=str(folder), hint=hint)
    return path


def _split_at_placeholders(text: str) -> list[str]:
    """Text and names of placeholders in turn; doubled braces become single ones."""
    parts, start = [""], 0
    text = text.removesuffix("\n").removesuffix("\r")
    for match in PLACEHOLDER.finditer(text):
        parts[-1] += text[start : match.start()]
        start = match.end()
        if match[1]:
            parts += [match[1], ""]
        else:
            parts[-1] += match[0][0]
    parts[-1] += text[start:]
    return parts


def _values(
    placeholders: list[str], defaults: Mapping[str, str], variables: list[str], where: str
) -> dict[str, str]:
    """The values of the placeholders, from --var or the head's defaults. Raises UsageError."""
    names = [name for name in dict.fromkeys(placeholders) if name not in (STDIN, PROMPT)]
    given: dict[str, str] = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name:
            raise UsageError(f'--var "{variable[:40]}" has no value', hint="--var NAME=TEXT")
        if name in (STDIN, PROMPT):
            hint = "pipe the text in" if name == STDIN else "give the prompt as words"
            raise UsageError(f"--var does not set {{{name}}}", where=where, hint=hint)
        if name not in names:
            hint = suggest_name(name, names) if names else "leave --var out"
            raise UsageError(f"the template has no placeholder {{{name}}}", where=where, hint=hint)
        given[name] = require_utf8(value)
    values = {**defaults, **given}
    for name in names:
        if name not in values:
            raise UsageError(
                f"the template's {{{name}}} has no value", where=where, hint=f"--var {name}=…"
            )
    return values
