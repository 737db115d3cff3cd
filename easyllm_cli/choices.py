"""Makes an answer exactly one of some texts (`--choices`).

A server that takes a JSON schema is made to choose; what comes is checked in any case, so that a
server without schemas works, too.
"""

from __future__ import annotations

import json
import re
from typing import Any
from unicodedata import normalize

from .completion import Completion
from .errors import SCHEMA_MISMATCH, MalformedAnswer, UsageError
from .json_schema import strip_code_fence

KEY = "choice"  # strict JSON modes want an object around a text
QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "„": "“", "«": "»"}
MAX_SHOWN_CHARS = 60  # of the answer, in an error


class Choices:
    """The texts of which an answer must be one; `document`: the JSON schema that is sent."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self._spelling = {fold_text(text): text for text in texts}
        self.document: dict[str, Any] = {
            "type": "object",
            "properties": {KEY: {"type": "string", "enum": texts}},
            "required": [KEY],
            "additionalProperties": False,
        }

    @property
    def request_settings(self) -> dict[str, Any]:
        """The fields of a profile that ask for such an answer."""
        return {"schema": self.document, "choices": self.texts}

    def check(self, completion: Completion) -> None:
        """Require that the answer is complete and one of the texts.

        Raises:
            MalformedAnswer: it is not.
        """
        text = completion["text"]
        if not completion["complete"]:
            raise MalformedAnswer("the answer was cut", hint="raise --max-tokens")
        if self.find(text) is None:
            shown = text.strip()
            shown = shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "…"
            raise MalformedAnswer(
                f"the answer is none of the choices: {json.dumps(shown, ensure_ascii=False)}",
                hint=f"say in the prompt what to choose by: {', '.join(self.texts)}"[:200],
                code=SCHEMA_MISMATCH,
            )

    def find(self, text: str) -> str | None:
        """The choice that an answer means, as the list spells it; None = none.

        White space around it, its case, one pair of quotes and one full stop are ignored.
        """
        answer = _unwrap(strip_code_fence(text)).strip()
        bare = _without_quotes(answer)
        stop_outside = _without_quotes(_without_stop(answer))
        for form in (answer, bare, stop_outside, _without_stop(bare)):
            if fold_text(form) in self._spelling:
                return self._spelling[fold_text(form)]
        return None

    def printed(self, text: str) -> str:
        """The text to print: the choice, or the text unchanged if it is none."""
        choice = self.find(text)
        return text if choice is None else choice


def parse_choices(text: str) -> Choices:
    r"""Read `a,b,c`; `\,` is a comma within a choice.

    Raises:
        UsageError: a choice is empty, or the same as another but for its case.
    """
    texts = [part.replace(r"\,", ",").strip() for part in re.split(r"(?<!\\),", text)]
    hint = r"--choices yes,no; \, is a comma within a choice"
    if not all(texts):
        raise UsageError(f'--choices "{text[:MAX_SHOWN_CHARS]}" has an empty choice', hint=hint)
    for index, choice in enumerate(texts):
        if fold_text(choice) in map(fold_text, texts[:index]):
            raise UsageError(f'--choices has "{choice[:MAX_SHOWN_CHARS]}" twice', hint=hint)
    return Choices(texts)


def fold_text(text: str) -> str:
    """The same text for all that differ in case, or in how an accent is encoded, alone.

    Source: Unicode 15, section 3.13, "canonical caseless match" (D145).
    """
    return normalize("NFD", normalize("NFD", text).casefold())


def _unwrap(text: str) -> str:
    """The choice in the JSON object that the schema asks for; another text unchanged.

    Servers that only promise JSON also write a number or true without quotes.
    """
    try:
        pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return text
    is_answer = isinstance(pairs, list) and len(pairs) == 1 and isinstance(pairs[0], tuple)
    if not is_answer or pairs[0][0] != KEY or not isinstance(pairs[0][1], str | bool):
        return text
    return str(pairs[0][1])


def _without_stop(text: str) -> str:
    return text.removesuffix(".").rstrip()


def _without_quotes(text: str) -> str:
    if len(text) >= 2 and QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    return text
