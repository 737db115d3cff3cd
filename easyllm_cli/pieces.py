"""Text that grows piece by piece, and is held for little more than its own size."""

from __future__ import annotations

# So many pieces are joined where they have fewer characters each: a string costs 49 bytes beside
# them, and its place in a list 8.
TOGETHER = 512
SMALL = 100


class Pieces(list[str]):
    """The pieces in their order; small ones are joined now and then."""

    settled = 0  # how many strings, at the beginning, are not looked at again

    def add(self, piece: str) -> None:
        """One more piece."""
        self.append(piece)
        if len(self) - self.settled < TOGETHER:
            return
        new = self[self.settled :]
        if sum(map(len, new)) < TOGETHER * SMALL:
            self[self.settled :] = ["".join(new)]
        self.settled = len(self)

    def whole(self) -> str:
        """All of it; held as one string from now on."""
        text = "".join(self)
        self[:] = [text] if text else []
        self.settled = len(self)
        return text
