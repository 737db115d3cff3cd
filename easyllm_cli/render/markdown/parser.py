"""Markdown text into top-level blocks with their lines; reference definitions are blocks too.

HTML is text like any other: a terminal shows it and drops none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

MOST_NESTED = 40  # levels: what is deeper is left out by the parser, so it is shown as it is
OPTIONS = {"html": False, "maxNesting": MOST_NESTED}
# Brackets in one paragraph that stand in one another or are never closed: the parser looks at all
# that follows for each of them, up to MOST_NESTED times, and nobody writes links so.
MOST_BRACKETS = 20


def parse_inline(state: StateCore) -> None:
    """markdown-it's own rule, but for paragraphs of brackets: those are text as it is."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = []
            if bracketed(token.content):
                token.children.append(Token("text", "", 0, content=token.content))
            else:
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def bracketed(text: str) -> bool:
    """Whether the text holds more brackets in one another than links need."""
    if text.count("[") <= MOST_BRACKETS:
        return False
    depth = 0
    for bracket in BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] == "[" else max(depth - 1, 0)
        if depth > MOST_BRACKETS:
            return True
    return False


BRACKET = re.compile(r"[\[\]]")
PARSER = MarkdownIt("commonmark", OPTIONS).enable(["strikethrough", "table"])
PARSER.core.ruler.at("inline", parse_inline)
References = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Block:
    """A block's tokens, and its first and its last line but one (both from 0)."""

    tokens: Sequence[Token]
    begins: int
    ends: int

    @property
    def kind(self) -> str:
        """markdown-it's type of the first token, or "definition"."""
        return self.tokens[0].type


@dataclass(frozen=True)
class Parsed:
    """The blocks of a text; `found` are the definitions in it, by label."""

    blocks: list[Block]
    found: References


def parse(text: str, known: Mapping[str, Any]) -> Parsed:
    """The blocks of a text; `known` are definitions from the text before it."""
    env: dict[str, Any] = {"references": dict(known)}
    tokens: Sequence[Token] = PARSER.parse(text, env)
    found = {name: one for name, one in env["references"].items() if name not in known}
    places = sorted(
        (one["map"][0], one["map"][1]) for one in [*found.values(), *env.get("duplicate_refs", [])]
    )
    lines = text.split("\n")
    if places:
        tokens = list(_with_definitions(tokens, [_definition(one, lines) for one in places]))
    return Parsed([_block(one, lines) for one in siblings(tokens)], found)


def _block(tokens: Sequence[Token], lines: Sequence[str]) -> Block:
    begins, ends = tokens[0].map or (0, 0)
    if any(token.level >= MOST_NESTED - 1 for token in tokens):
        content = "".join(f"{line}\n" for line in lines[begins:ends])
        tokens = [Token("code_block", "", 0, map=[begins, ends], content=content)]
    return Block(tokens, begins, ends)


def siblings(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The blocks that stand side by side: each an opening token to its closing one, or one."""
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : index + 1]
            start = index + 1


def _definition(place: tuple[int, int], lines: Sequence[str]) -> Token:
    """A token for what markdown-it takes out without one."""
    begins, ends = place
    text = " ".join(line.strip(" \t>") for line in lines[begins:ends])
    return Token("definition", "", 0, map=[begins, ends], content=text[text.find("[") :])


def _with_definitions(tokens: Sequence[Token], left: list[Token]) -> Iterator[Token]:
    """The tokens with each definition where it stands, inside its list item or quote too."""
    open_lines: list[tuple[int, int]] = []
    for token in tokens:
        begins, ends = token.map or (-1, -1)
        if token.nesting < 0:
            inside = open_lines.pop()
            while left and inside[0] <= _first(left[0]) < inside[1]:
                yield left.pop(0)
        elif token.map:
            while left and _first(left[0]) < begins:
                yield left.pop(0)
        if token.nesting > 0:
            open_lines.append((begins, ends))
        yield token
    yield from left


def _first(token: Token) -> int:
    return token.map[0] if token.map else 0
