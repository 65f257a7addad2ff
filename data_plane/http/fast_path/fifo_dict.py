"""A bounded memory of what is asked for lately."""

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class FifoDict(dict[_K, _V]):
    """A dict that forgets its oldest entry when it is full. One goes at a time, so that no request waits for many."""

    def __init__(self, most: int) -> None:
        self._most = most

    def remember(self, key: _K, value: _V) -> None:
        """Put it in, or in place of what is there under the key."""
        if len(self) >= self._most and key not in self:
            del self[next(iter(self))]
        self[key] = value
