"""Highlights code line by line with a pygments lexer that can be resumed between lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any

from pygments.lexer import RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token
from pygments.util import ClassNotFound

from ..spans import BOLD, CYAN, DIM, GREEN, MAGENTA, RED, Row, Span, merge_spans, text_from_row

TokenType = Any  # pygments' token type, such as Token.Keyword
TOKEN_STYLES: dict[TokenType, str] = {
    Token.Comment: DIM,
    Token.Comment.Preproc: MAGENTA,
    Token.Keyword: MAGENTA,
    Token.Keyword.Constant: CYAN,
    Token.Operator.Word: MAGENTA,
    Token.Literal.String: GREEN,
    Token.Literal.Number: CYAN,
    Token.Name.Builtin: CYAN,
    Token.Name.Function: BOLD,
    Token.Name.Class: BOLD,
    Token.Name.Decorator: BOLD,
    Token.Name.Tag: MAGENTA,
    Token.Name.Attribute: CYAN,
    Token.Generic.Deleted: RED,
    Token.Generic.Inserted: GREEN,
    Token.Generic.Heading: BOLD,
    Token: "",
}
MAX_LINE_CHARS = 2000  # longer lines are data, and slow with some regular expressions
MAX_IDLE_STEPS = 50  # steps in a row in which a lexer consumes no character

# A lexer's stack of states between two lines. None = inside a token, so it cannot be resumed.
LexerState = tuple[str, ...] | None
START_STATE: LexerState = ("root",)


class Highlighter:
    """Highlighter for the language of a fence's info string; unknown languages get no colours."""

    def __init__(self, info: str) -> None:
        self._lexer: Any = None
        with suppress(ClassNotFound):
            self._lexer = get_lexer_by_name(info.split()[0]) if info else None
        # Only lexers with this loop can be resumed; others begin in their start state each time.
        regex_loop = RegexLexer.get_tokens_unprocessed
        self._can_resume = getattr(type(self._lexer), "get_tokens_unprocessed", None) is regex_loop

    def highlight(self, lines: Sequence[str]) -> list[Row]:
        """Highlight complete code."""
        return self.highlight_lines(lines, START_STATE)[0]

    def highlight_lines(
        self, lines: Sequence[str], state: LexerState
    ) -> tuple[list[Row], list[LexerState]]:
        """Return the rows of lines, and the lexer state after each of them."""
        if self._lexer is None or any(len(line) > MAX_LINE_CHARS for line in lines):
            return [merge_spans([(line, "")]) for line in lines], [START_STATE] * len(lines)
        states: list[LexerState] = [None if self._can_resume else START_STATE] * len(lines)
        text = "".join(f"{line}\n" for line in lines)
        if self._can_resume:
            tokens = _tokenize(self._lexer, text, list(state or ("root",)), states)
        else:
            tokens = ((kind, value) for _, kind, value in self._lexer.get_tokens_unprocessed(text))
        rows = _rows_from_tokens(tokens)
        # A lexer may drop characters; such a line is shown complete and without colours.
        return [
            row if row is not None and text_from_row(row) == line else merge_spans([(line, "")])
            for row, line in zip_longest(rows[: len(lines)], lines)
        ], states


def find_style(token_type: TokenType) -> str:
    """Return the style of the nearest ancestor type that has one, and cache it."""
    style = TOKEN_STYLES.get(token_type)
    if style is None:
        style = TOKEN_STYLES[token_type] = find_style(token_type.parent or Token)
    return style


def _rows_from_tokens(tokens: Iterator[tuple[TokenType, str]]) -> list[Row]:
    """Split tokens into rows, one per line."""
    lines: list[list[Span]] = [[]]
    for kind, value in tokens:
        style = find_style(kind)
        first, *others = value.split("\n")
        lines[-1].append((first, style))
        lines += [[(other, style)] for other in others]
    return [merge_spans(line) for line in lines]


def _tokenize(
    lexer: Any, text: str, stack: list[str], states: list[LexerState]
) -> Iterator[tuple[TokenType, str]]:
    """Run RegexLexer's loop over its tables, and store the stack at each line end in `states`.

    Unlike pygments' loop it always ends: some lexers loop forever (mcschema on "<!--").
    """
    tables = lexer._tokens
    position = line = idle_steps = 0
    while position < len(text):
        for matcher, action, transition in tables[stack[-1]] if idle_steps < MAX_IDLE_STEPS else ():
            match = matcher(text, position)
            if match is None:
                continue
            if isinstance(action, type(Token)):
                yield action, match[0]
            elif action is not None:
                yield from ((kind, value) for _, kind, value in action(lexer, match))
            if transition is not None:
                _change_stack(stack, transition)
            start, position = position, match.end()
            break
        else:
            start, position = position, position + 1
            if text[start] == "\n":
                stack[:] = ["root"]
            yield (Token.Text if text[start] == "\n" else Token.Error), text[start]
        idle_steps = idle_steps + 1 if position == start else 0
        line += text.count("\n", start, position)
        if line and text[position - 1] == "\n":
            states[line - 1] = tuple(stack)


def _change_stack(stack: list[str], transition: Any) -> None:
    """Apply a RegexLexer transition: a number of states to pop, "#push", "#pop" or state names."""
    if isinstance(transition, int):
        del stack[max(1, len(stack) + transition) :]
        return
    for name in (transition,) if isinstance(transition, str) else transition:
        if name == "#push":
            stack.append(stack[-1])
        elif name != "#pop":
            stack.append(name)
        elif len(stack) > 1:
            stack.pop()
