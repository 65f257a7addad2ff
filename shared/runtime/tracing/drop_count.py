"""The number of spans that were not exported."""

from collections.abc import Callable


class DropCount:
    """Counts the spans that were not exported. Spans may end before there is a metric to count them in."""

    def __init__(self) -> None:
        self._early = 0
        self._add: Callable[[float], object] | None = None

    def count_in(self, add: Callable[[float], object]) -> None:
        """Add all drops, those so far included, to this counter (its `inc`)."""
        self._add = add
        early, self._early = self._early, 0
        add(early)

    def add(self, spans: int) -> None:
        """Count this many; called by requests and by the thread that exports."""
        if self._add is None:
            self._early += spans
        else:
            self._add(spans)
