import asyncio
import math

import pytest

from shared.runtime.deadlines import Deadlines, remaining_seconds, time_limit, within_deadline


class Service:
    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds

    @within_deadline
    async def double(self, number: int, *, after_seconds: float = 0) -> int:
        """Twice the number."""
        await asyncio.sleep(after_seconds)
        return 2 * number


async def test_a_method_within_its_deadline_returns_its_result() -> None:
    assert await Service(5).double(4) == 8
    assert Service.double.__doc__ == "Twice the number."


async def test_a_method_beyond_its_deadline_raises_timeout_error() -> None:
    with pytest.raises(TimeoutError):
        await Service(0.01).double(4, after_seconds=60)


def test_inner_deadlines_end_before_outer_ones() -> None:
    deadlines = Deadlines(10)
    assert 0 < deadlines.lock_seconds < deadlines.call_seconds < deadlines.use_case_seconds < deadlines.outer_seconds


async def test_remaining_time_is_that_of_the_limit_that_ends_first() -> None:
    assert remaining_seconds() == math.inf
    async with time_limit(10):
        async with time_limit(60):
            assert 0 < remaining_seconds() <= 10
        async with time_limit(0.5):
            assert 0 < remaining_seconds() <= 0.5
        assert 0.5 < remaining_seconds() <= 10
    assert remaining_seconds() == math.inf
