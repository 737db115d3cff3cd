"""Parses Markdown into top-level blocks with their line numbers.

Reference definitions are blocks, too. HTML is treated as plain text, so that none of it is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from .math import add_math_rules
from .table import add_table_rules

MAX_NESTING = 40  # levels; the parser drops what is deeper, so such blocks are shown as source
PARSER_OPTIONS = {"html": False, "maxNesting": MAX_NESTING}
# Brackets in one paragraph that are nested or never closed. For each of them the parser scans the
# rest of the paragraph, up to MAX_NESTING times; real links need far fewer.
MAX_OPEN_BRACKETS = 20


def parse_inline(state: StateCore) -> None:
    """Replacement of markdown-it's rule "inline": paragraphs with too many brackets stay text."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = []
            if has_too_many_brackets(token.content):
                token.children.append(Token("text", "", 0, content=token.content))
            else:
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def has_too_many_brackets(text: str) -> bool:
    """Whether the text nests more brackets than links need."""
    if text.count("[") <= MAX_OPEN_BRACKETS:
        return False
    depth = 0
    for bracket in BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] == "[" else max(depth - 1, 0)
        if depth > MAX_OPEN_BRACKETS:
            return True
    return False


BRACKET = re.compile(r"[\[\]]")
PARSER = MarkdownIt("commonmark", PARSER_OPTIONS).enable("strikethrough")
PARSER.core.ruler.at("inline", parse_inline)
add_table_rules(PARSER)
add_math_rules(PARSER)
References = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Block:
    """A block's tokens, and its lines from `start_line` to before `stop_line`, counted from 0."""

    tokens: Sequence[Token]
    start_line: int
    stop_line: int

    @property
    def kind(self) -> str:
        """markdown-it's type of the first token, or "definition"."""
        return self.tokens[0].type


@dataclass(frozen=True)
class ParsedMarkdown:
    """The blocks of a text, and its reference definitions by label."""

    blocks: list[Block]
    references: References


def parse_blocks(
    text: str, known_references: Mapping[str, Any], more_follows: bool = False
) -> ParsedMarkdown:
    """Parse a text; `known_references` are the definitions of earlier text.

    `more_follows`: the text goes on behind this part, so that a formula may still be closed.
    """
    env: dict[str, Any] = {"references": dict(known_references), "more_follows": more_follows}
    tokens: Sequence[Token] = PARSER.parse(text, env)
    new_references = {
        label: item for label, item in env["references"].items() if label not in known_references
    }
    line_ranges = sorted(
        (item["map"][0], item["map"][1])
        for item in [*new_references.values(), *env.get("duplicate_refs", [])]
    )
    lines = text.split("\n")
    if line_ranges:
        tokens = list(
            _insert_definitions(
                tokens, [_make_definition_token(item, lines) for item in line_ranges]
            )
        )
    return ParsedMarkdown(
        [_block_from_tokens(item, lines) for item in split_siblings(tokens)], new_references
    )


def _block_from_tokens(tokens: Sequence[Token], lines: Sequence[str]) -> Block:
    start, stop = tokens[0].map or (0, 0)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        content = "".join(f"{line}\n" for line in lines[start:stop])
        tokens = [Token("code_block", "", 0, map=[start, stop], content=content)]
    return Block(tokens, start, stop)


def split_siblings(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield sibling blocks: a single token, or an opening token up to its closing one."""
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : index + 1]
            start = index + 1


def _make_definition_token(line_range: tuple[int, int], lines: Sequence[str]) -> Token:
    """Make a token for a definition: markdown-it removes definitions without a token."""
    start, stop = line_range
    text = " ".join(line.strip(" \t>") for line in lines[start:stop])
    return Token("definition", "", 0, map=[start, stop], content=text[text.find("[") :])


def _insert_definitions(tokens: Sequence[Token], definitions: list[Token]) -> Iterator[Token]:
    """Yield the tokens with each definition at its place, also inside list items and quotes."""
    open_lines: list[tuple[int, int]] = []
    for token in tokens:
        start, stop = token.map or (-1, -1)
        if token.nesting < 0:
            inside = open_lines.pop()
            while definitions and inside[0] <= _start_line(definitions[0]) < inside[1]:
                yield definitions.pop(0)
        elif token.map:
            while definitions and _start_line(definitions[0]) < start:
                yield definitions.pop(0)
        if token.nesting > 0:
            open_lines.append((start, stop))
        yield token
    yield from definitions


def _start_line(token: Token) -> int:
    return token.map[0] if token.map else 0
