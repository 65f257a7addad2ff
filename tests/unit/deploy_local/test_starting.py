import asyncio

import pytest

from deploy.local.errors import LocalServerError
from deploy.local.progress import NoProgress
from deploy.local.starting import start_all


class Step:
    """A step with a given outcome."""

    def __init__(self, name: str, failure: Exception | None = None) -> None:
        self.name = name
        self._failure = failure

    async def start(self) -> None:
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure

    async def is_running(self) -> bool:
        return False


async def test_failure_of_one_server_is_raised_with_its_own_message() -> None:
    failing = Step("kafka", LocalServerError("no jar: put it there"))
    with pytest.raises(LocalServerError, match="no jar: put it there"):
        await start_all([(Step("postgres"), Step("replica")), (failing,)], NoProgress())


async def test_unexpected_error_is_raised_with_its_group() -> None:
    with pytest.raises(BaseExceptionGroup):
        await start_all([(Step("kafka", KeyError("port")),)], NoProgress())
