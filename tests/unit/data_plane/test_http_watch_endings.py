"""How a watch ends that a client has opened, over fakes."""

import asyncio

import pytest
from litestar.exceptions import LitestarException

from tests.support.watch_server import QUICK, WatchServer, watch_server_with_a_route


@pytest.fixture
async def server() -> WatchServer:
    return await watch_server_with_a_route()


@pytest.fixture
async def quick() -> WatchServer:
    return await watch_server_with_a_route(**QUICK)


async def test_a_client_that_left_is_counted_and_forgotten(server: WatchServer) -> None:
    async with server.watch() as answer:
        await answer.event()
        answer.disconnect()
        await answer.ended.wait()
    assert await server.closed("client")
    assert b"\ntm_watch_clients 0.0" in server.instance.metrics.exposition()


async def test_a_client_that_takes_nothing_is_closed_and_counted(quick: WatchServer) -> None:
    async with quick.watch() as answer:
        await answer.event()
        answer.stop_reading()
        await answer.ended.wait()
        assert await quick.closed("slow")


async def test_a_watch_whose_connection_breaks_is_forgotten(server: WatchServer) -> None:
    with pytest.RaisesGroup(LitestarException):
        async with server.watch() as answer:
            await answer.event()
            answer.fail_sends()
            await server.change("https://v2")
            await asyncio.Event().wait()
    assert await server.closed("client")


async def test_nothing_is_sent_to_a_watcher_whose_key_was_revoked(server: WatchServer) -> None:
    async with server.watch() as answer:
        await answer.event()
        server.access.keyring.end(server.key.key_id)
        await server.change("https://secret")
        text = await answer.text()
    assert "secret" not in text
    assert text.endswith('event: end\ndata: {"reason":"revoked"}\n\n')
    assert await server.closed("revoked")
