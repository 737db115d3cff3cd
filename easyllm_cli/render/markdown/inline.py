"""The text of one block as spans: emphasis, code, links with their target, pictures."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token

from ..spans import BOLD, CYAN, DIM, ITALIC, STRIKE, UNDERLINE, Span, clean, with_style

STYLES = {"em_open": ITALIC, "strong_open": BOLD, "s_open": STRIKE, "link_open": UNDERLINE}
BREAKS = {"softbreak": " ", "hardbreak": "\n"}


def spans_of(inline: Token, style: str = "") -> list[Span]:
    """The spans of an inline token on top of a style; "\\n" is a hard break."""
    return _Inline(style).read(inline.children or [])


class _Inline:
    def __init__(self, style: str) -> None:
        self.made: list[Span] = []
        self.styles = [style]
        self.links: list[tuple[int, str]] = []  # where its label begins in `made`, its target

    def read(self, children: Sequence[Token]) -> list[Span]:
        for token in children:
            if token.nesting > 0:
                self._open(token)
            elif token.nesting < 0:
                self._close(token)
            else:
                self._leaf(token)
        return self.made

    def _open(self, token: Token) -> None:
        self.styles.append(with_style(self.styles[-1], STYLES.get(token.type, "")))
        if token.type == "link_open":
            self.links.append((len(self.made), str(token.attrs.get("href", ""))))

    def _close(self, token: Token) -> None:
        self.styles.pop()
        if token.type == "link_close":
            start, target = self.links.pop()
            label = "".join(text for text, _ in self.made[start:])
            if target not in (label, f"mailto:{label}"):
                self._add(f" ({clean(target)})" if label else clean(target), DIM)

    def _leaf(self, token: Token) -> None:
        if token.type in BREAKS:
            self._add(BREAKS[token.type])
        elif token.type == "code_inline":
            self._add(clean(token.content), CYAN)
        elif token.type == "image":
            self._add("[image] ", DIM)
            self.read(token.children or [])
            self._add(f" ({clean(str(token.attrs.get('src', '')))})", DIM)
        else:
            self._add(clean(token.content).replace("\t", " "))

    def _add(self, text: str, style: str = "") -> None:
        self.made.append((text, with_style(self.styles[-1], style)))
