"""The workarounds for the Kafka client."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.runtime.kafka.clients import raise_on_disconnect, start_client


async def _wait_for(answer: "asyncio.Future[None]") -> None:
    with raise_on_disconnect():
        await answer


async def test_response_cancelled_by_the_client_is_a_connection_error() -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.cancel()
    with pytest.raises(KafkaConnectionError):
        await _wait_for(answer)


async def test_cancelled_task_ends() -> None:
    answer = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(_wait_for(answer))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_expired_deadline_is_a_timeout_error() -> None:
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


async def test_cancellation_during_a_start_waits_for_the_start() -> None:
    client = SlowClient()
    starting = asyncio.create_task(start_client(client))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert client.is_started


async def test_failed_start_raises_its_error() -> None:
    class Broken:
        async def start(self) -> None:
            raise KafkaConnectionError("connection refused")

    with pytest.raises(KafkaConnectionError, match="connection refused"):
        await start_client(Broken())
