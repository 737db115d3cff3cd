"""Once: text that a server sends piece by piece and then whole, again and again, is taken once."""

from __future__ import annotations

from collections.abc import Mapping

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

    def whole(self, texts: Mapping[Part, str], item: int | None = None) -> str:
        """All parts of one item, or of the answer (None)."""
        came = {
            part: "".join(pieces) for part, pieces in self._parts.items() if item in (None, part[0])
        }
        if all(texts.get(part, "").startswith(text) for part, text in came.items()):
            return "".join([self.part(part, text) for part, text in texts.items()])
        # The server numbers its parts one way in the pieces and another way here.
        rest = _rest(self._between.join(texts.values()), self._between.join(came.values()))
        if rest:
            self._parts[[*came][-1]].append(rest)
        return rest


def _rest(whole: str, so_far: str) -> str:
    return whole[len(so_far) :] if whole.startswith(so_far) else ""
