"""Deadlines inside other deadlines."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)
"""End of the innermost time limit, on the event loop's clock."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The deadlines within an outer one of `outer_seconds`, which begin at the same time.

    Each ends a little before the one around it, so that the error names the innermost part that was too slow, and that
    part is what is counted as failed.
    """

    outer_seconds: float

    @property
    def use_case_seconds(self) -> float:
        """For a use case within the deadline of its request."""
        return 0.95 * self.outer_seconds

    @property
    def call_seconds(self) -> float:
        """For a call to a server; and for the server's own limit on a call, where the outer deadline is the client's."""
        return 0.85 * self.outer_seconds

    @property
    def statement_seconds(self) -> float:
        """For one statement, ended by the database: a caller that gave up first would leave the statement at work."""
        return 0.8 * self.outer_seconds

    @property
    def lock_seconds(self) -> float:
        """For a lock that a call waits for."""
        return 0.7 * self.outer_seconds


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """Let the block raise TimeoutError after so many seconds, and `remaining_seconds` know its end."""
    async with asyncio.timeout(seconds) as timeout:
        token = _ends_at.set(min(_ends_at.get(), timeout.when() or math.inf))
        try:
            yield
        finally:
            _ends_at.reset(token)


def remaining_seconds() -> float:
    """Time until the first of the surrounding time limits ends; 0 when it has passed, and infinite without one."""
    return max(0.0, _ends_at.get() - asyncio.get_running_loop().time())


class _HasDeadline(Protocol):
    @property
    def deadline_seconds(self) -> float: ...


_Self = TypeVar("_Self", bound=_HasDeadline)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def within_deadline(
    method: Callable[Concatenate[_Self, _P], Awaitable[_R]],
) -> Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]:
    """Let the method raise TimeoutError when it takes longer than its object's `deadline_seconds`."""

    @wraps(method)
    async def limited(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        async with time_limit(self.deadline_seconds):
            return await method(self, *args, **kwargs)

    return limited
