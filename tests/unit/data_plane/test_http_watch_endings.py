"""How a watch ends that a client has opened, over fakes."""

import asyncio

import pytest
from litestar.exceptions import LitestarException

from tests.unit.data_plane.served_watches import QUICK, Served, served_with_a_route


@pytest.fixture
async def served() -> Served:
    return await served_with_a_route()


@pytest.fixture
async def quick() -> Served:
    return await served_with_a_route(QUICK)


async def test_a_client_that_left_is_counted_and_forgotten(served: Served) -> None:
    async with served.watch() as answer:
        await answer.event()
        answer.leave()
        await answer.ended.wait()
    assert await served.closed("client")
    assert b"\ntm_watch_clients 0.0" in served.instance.metrics.exposition()


async def test_a_client_that_takes_nothing_is_closed_and_counted(quick: Served) -> None:
    async with quick.watch() as answer:
        await answer.event()
        answer.stop_reading()
        await answer.ended.wait()
        assert await quick.closed("slow")


async def test_a_watch_whose_connection_breaks_is_forgotten(served: Served) -> None:
    with pytest.RaisesGroup(LitestarException):
        async with served.watch() as answer:
            await answer.event()
            answer.break_off()
            await served.change("https://v2")
            await asyncio.Event().wait()
    assert await served.closed("client")


async def test_nothing_is_sent_to_a_watcher_whose_key_was_revoked(served: Served) -> None:
    async with served.watch() as answer:
        await answer.event()
        served.gate.keyring.end(served.key.key_id)
        await served.change("https://secret")
        text = await answer.text()
    assert "secret" not in text
    assert text.endswith('event: end\ndata: {"reason":"revoked"}\n\n')
    assert await served.closed("revoked")
