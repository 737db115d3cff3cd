"""RecordedAttempt: one attempt at an answer as it is kept, with its events and its error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from ..errors import EasyLLMError
from ..events import Done, Event, Note, Reasoning, Start, Text
from ..secret import holds_known_key


class RecordedAttempt:
    """One attempt at an answer: its events, and the error it ended in (None = none).

    `made_at`: seconds since 1970. `events`: each with its milliseconds since the attempt began.
    """

    def __init__(
        self,
        made_at: float,
        events: Iterable[tuple[int, Event]] = (),
        error: EasyLLMError | None = None,
    ) -> None:
        self.made_at = made_at
        self.events = list(events)
        self.error = error

    def add(self, event: Event) -> Event:
        """Add an event that has just arrived, and return it."""
        self.events.append((max(0, round((time.time() - self.made_at) * 1000)), event))
        return event

    @property
    def done(self) -> Done | None:
        """The end of the answer; None = it has none."""
        last = self.events[-1][1] if self.events else None
        return last if isinstance(last, Done) else None

    @property
    def age_seconds(self) -> int:
        return max(0, int(time.time() - self.made_at))

    def events_for(self, profile_name: str) -> Iterator[Event]:
        """The events, with the name of the profile that is asked now."""
        for _, event in self.events:
            if isinstance(event, Start):
                event = Start(event.provider, event.model, profile_name)
            yield event

    def holds_known_key(self) -> bool:
        """Whether a text of the events holds a key that this process knows, also an encoded one.

        Notes are left out, because they are redacted when they are recorded.
        """
        texts = ["".join(self._texts_of(Text)), "".join(self._texts_of(Reasoning))]
        for _, event in self.events:
            if not isinstance(event, Text | Reasoning | Note):
                texts += [value for value in vars(event).values() if isinstance(value, str)]
        return any(map(holds_known_key, filter(None, texts)))

    def _texts_of(self, kind: type[Text | Reasoning]) -> Iterator[str]:
        return (event.text for _, event in self.events if isinstance(event, kind))
