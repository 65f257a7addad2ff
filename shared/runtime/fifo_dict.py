"""A bounded dict for paths where each microsecond counts."""

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class FifoDict(dict[_K, _V]):
    """A dict that drops its oldest key when `put` adds one to a full dict.

    Reads are those of a plain dict, in C; that is why `cachetools` is not used where requests are answered. One key is
    dropped at a time, so that no single request pays for many.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size

    def put(self, key: _K, value: _V) -> None:
        """Store the value. A key that is present keeps its age."""
        if len(self) >= self._max_size and key not in self:
            del self[next(iter(self))]
        self[key] = value
