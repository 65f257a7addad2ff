"""Long computations outside of the event loop, which meanwhile serves other requests.

One thread for all: two threads that compute do not compute faster, and make the event loop wait twice as long for its turn.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

_P = ParamSpec("_P")
_R = TypeVar("_R")

LONG_BODY_BYTES = 16 * 1024
"""Size from which a body is parsed off the loop."""
MANY_ROUTES = 1000
"""Number of routes above which they are read or compared off the loop: about 10 ms of work."""

_thread = ThreadPoolExecutor(1, "computation")
# A tenant's computations take turns before they wait for the thread, so that another tenant's one waits for one of them only.
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def off_loop(tenant: str, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """The function's result, computed in the thread with the caller's context variables.

    A cancelled call that has begun computes to its end, and its result is dropped.
    """
    context = copy_context()
    async with _turns.setdefault(tenant, asyncio.Lock()):
        return await asyncio.get_running_loop().run_in_executor(_thread, lambda: context.run(function, *args, **kwargs))
