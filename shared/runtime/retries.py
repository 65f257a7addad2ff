"""A second attempt at work that failed for a reason that the failure itself has removed."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def retried_once(
    error: type[Exception],
) -> Callable[[Callable[_P, Awaitable[_R]]], Callable[_P, Coroutine[Any, Any, _R]]]:
    """Let a coroutine function run again when it raises this error. The second error is raised."""

    def decorate(function: Callable[_P, Awaitable[_R]]) -> Callable[_P, Coroutine[Any, Any, _R]]:
        @wraps(function)
        async def attempted(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return await function(*args, **kwargs)
            except error:
                return await function(*args, **kwargs)

        return attempted

    return decorate
