"""How long to pause before something that failed is tried again."""

import random
from collections.abc import Callable


class Backoff:
    """Growing pauses with full jitter: anything from nothing to a ceiling that doubles up to `longest` seconds.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(
        self,
        longest: float,
        first: float = 0.1,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._longest = longest
        self._first = first
        self._draw = draw
        self._ceiling = first

    def pause(self) -> float:
        """Seconds to pause after one more failure."""
        ceiling, self._ceiling = self._ceiling, min(self._longest, 2 * self._ceiling)
        return self._draw(0.0, min(ceiling, self._longest))

    def reset(self) -> None:
        """Begin with short pauses again, after a success."""
        self._ceiling = self._first
