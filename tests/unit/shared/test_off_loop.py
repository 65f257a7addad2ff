import asyncio
import threading
from contextvars import ContextVar

import pytest

from shared.runtime.off_loop import off_loop

_caller = ContextVar("caller", default="none")


async def test_computation_runs_in_another_thread_with_the_callers_context() -> None:
    _caller.set("me")
    seen = await off_loop("team-a", lambda: (threading.get_ident(), _caller.get()))
    assert seen[0] != threading.get_ident()
    assert seen[1] == "me"


async def test_error_of_a_computation_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await off_loop("team-a", lambda: 1 // 0)


async def test_a_tenants_computations_do_not_queue_before_those_of_another_tenant() -> None:
    order: list[str] = []
    first = threading.Event()
    calls = [off_loop("team-a", first.wait)] + [off_loop("team-a", order.append, "a") for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call)
        await asyncio.sleep(0)
        group.create_task(off_loop("team-b", order.append, "b"))
        await asyncio.sleep(0)
        first.set()
    assert order == ["b", "a", "a", "a"]
