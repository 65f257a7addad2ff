"""Waiting for what will happen, with a deadline instead of a sleep."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


async def eventually(condition: Callable[[], Awaitable[_T | None]], *, within: float = 15.0, every: float = 0.02) -> _T:
    """The first truthy result of `condition`. An AssertionError it raises counts as "not yet".

    Raises AssertionError with the last result (or the last assertion) when there is none `within` so many seconds.
    """
    last: object = "never asked"
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
