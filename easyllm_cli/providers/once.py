"""Once: text that a server sends piece by piece and then whole, again and again, is taken once."""

from __future__ import annotations

Part = tuple[int, int]  # the place of an item in the output, and of the part in the item


class Once:
    """One kind of text of an answer. Every method gives what is new in what it is told.

    `between` stands between two parts. Where a whole does not begin with what had come of it,
    the pieces are believed.
    """

    def __init__(self, between: str = "") -> None:
        self._between = between
        self._parts: dict[Part, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def more(self, part: Part, piece: str) -> str:
        """The next piece of a part."""
        if not piece:
            return ""
        between = self._between if self._parts and part not in self._parts else ""
        self._parts.setdefault(part, []).append(piece)
        return between + piece

    def part(self, part: Part, text: str) -> str:
        """The whole of one part."""
        return self.more(part, _rest(text, "".join(self._parts.get(part, ()))))

    def whole(self, texts: list[str], item: int | None = None) -> str:
        """All parts of one item, or of the answer (None)."""
        mine = [part for part in self._parts if item in (None, part[0])]
        rest = _rest(self._between.join(texts), self._so_far(mine))
        if not mine:
            return self.more((item or 0, 0), rest)
        if rest:
            self._parts[mine[-1]].append(rest)  # with what stands between the parts in it
        return rest

    def begins(self, texts: list[str]) -> bool:
        """Whether these texts begin with what has come."""
        return self._between.join(texts).startswith(self._so_far(list(self._parts)))

    def _so_far(self, parts: list[Part]) -> str:
        return self._between.join("".join(self._parts[part]) for part in parts)


def _rest(whole: str, so_far: str) -> str:
    return whole.removeprefix(so_far) if whole.startswith(so_far) else ""
