"""Waits for conditions with a deadline, instead of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


async def eventually(condition: Callable[[], Awaitable[_T | None]], *, within: float = 15.0, every: float = 0.02) -> _T:
    """Calls `condition` repeatedly and returns its first truthy result. An AssertionError that it raises counts as falsy.

    `within` and `every` are in seconds. Raises AssertionError with the last result or the last assertion at the deadline.
    """
    last: object = "never called"
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    if result := await condition():
                        return result
                    last = result
                except AssertionError as error:
                    last = error
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s; last seen: {last!r}") from None
