"""A bounded memory of conclusions, each until a moment of its own."""

from typing import Generic, TypeVar

_V = TypeVar("_V")


class Remembered(Generic[_V]):
    """Forgets the oldest when full. Only conclusions go in: what they were drawn from can be looked at again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[bytes, tuple[_V, float]] = {}

    def get(self, key: bytes, now: float) -> _V | None:
        """The value; None when there is none, or its time is over (`now`: monotonic seconds)."""
        known = self._values.get(key)
        return known[0] if known is not None and now < known[1] else None

    def put(self, key: bytes, value: _V, until: float) -> None:
        if len(self._values) >= self._most and key not in self._values:
            del self._values[next(iter(self._values))]
        self._values[key] = (value, until)

    def clear(self) -> None:
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)
