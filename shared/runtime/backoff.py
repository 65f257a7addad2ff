"""Pauses between two attempts of something that fails."""

import random
from collections.abc import Callable


class Backoff:
    """Growing pauses with full jitter: anything from the shortest pause to a ceiling that doubles up to the longest.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(
        self,
        longest_seconds: float,
        *,
        first_seconds: float = 0.1,
        shortest_seconds: float = 0.0,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`first_seconds` is the ceiling of the first pause; `draw` picks a number between two bounds."""
        self._longest = longest_seconds
        self._first = min(first_seconds, longest_seconds)
        self._shortest = shortest_seconds
        self._draw = draw
        self._ceiling = self._first
        self._failures = 0

    @property
    def failures(self) -> int:
        """The number of failures since the last success."""
        return self._failures

    def pause(self) -> float:
        """Count one more failure. Returns the seconds to pause after it."""
        self._failures += 1
        ceiling, self._ceiling = self._ceiling, min(self._longest, 2 * self._ceiling)
        return self._draw(self._shortest, ceiling)

    def reset(self) -> None:
        """Note a success: the next pause is short again."""
        self._ceiling = self._first
        self._failures = 0
