"""What the runtime adds to the Kafka client."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.runtime.kafka.clients import raise_on_disconnect, start_client


async def _wait_for(answer: "asyncio.Future[None]") -> None:
    with raise_on_disconnect():
        await answer


async def test_an_answer_that_the_client_gave_up_is_a_connection_error() -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.cancel()
    with pytest.raises(KafkaConnectionError):
        await _wait_for(answer)


async def test_a_task_that_is_asked_to_end_ends() -> None:
    answer = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(_wait_for(answer))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_deadline_is_a_deadline() -> None:
    answer = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await _wait_for(answer)


class SlowClient:
    """A client whose start takes a few turns of the loop, and must not be broken off."""

    def __init__(self) -> None:
        self.is_started = False

    async def start(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.is_started = True


async def test_who_is_cancelled_while_a_client_starts_lets_it_start_first() -> None:
    client = SlowClient()
    starting = asyncio.create_task(start_client(client))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert client.is_started


async def test_a_client_that_cannot_start_says_so() -> None:
    class Broken:
        async def start(self) -> None:
            raise KafkaConnectionError("nobody is there")

    with pytest.raises(KafkaConnectionError, match="nobody is there"):
        await start_client(Broken())
