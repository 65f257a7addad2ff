"""Reasons for which a watch over HTTP closes, over fakes."""

import asyncio

import pytest
from litestar.exceptions import LitestarException

from tests.support.access import bearer
from tests.support.asgi import Request, response_messages
from tests.support.watch_server import PATH, QUICK, WatchServer, watch_server_with_a_route


@pytest.fixture
async def server() -> WatchServer:
    return await watch_server_with_a_route()


@pytest.fixture
async def quick() -> WatchServer:
    return await watch_server_with_a_route(**QUICK)


async def test_disconnected_client_closes_the_watch(server: WatchServer) -> None:
    async with server.watch() as answer:
        await answer.event()
        answer.disconnect()
        await answer.ended.wait()
    assert await server.closed("client")
    assert b"\ntm_watch_clients 0.0" in server.instance.metrics.exposition()


async def test_head_of_a_watch_has_the_headers_of_the_stream_and_closes_it(server: WatchServer) -> None:
    async with server.watch() as stream:
        await stream.event()
    fields = [(name.lower().encode(), value.encode()) for name, value in bearer(server.key).items()]
    async with asyncio.timeout(5):
        start, *bodies = await response_messages(server.app, Request(PATH, "HEAD", headers=fields))
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert start["status"] == 200
    assert {**headers, "x-correlation-id": ""} == {**stream.headers, "x-correlation-id": ""}
    assert b"".join(each["body"] for each in bodies) == b""
    assert b"\ntm_watch_clients 0.0" in server.instance.metrics.exposition()


async def test_client_that_stops_reading_is_closed_as_slow(quick: WatchServer) -> None:
    async with quick.watch() as answer:
        await answer.event()
        answer.stop_reading()
        await answer.ended.wait()
        assert await quick.closed("slow")


async def test_broken_connection_closes_the_watch(server: WatchServer) -> None:
    with pytest.RaisesGroup(LitestarException):
        async with server.watch() as answer:
            await answer.event()
            answer.fail_sends()
            await server.change("https://v2")
            await asyncio.Event().wait()
    assert await server.closed("client")


async def test_revoked_access_key_ends_the_stream_before_the_next_change(server: WatchServer) -> None:
    async with server.watch() as answer:
        await answer.event()
        server.access.keyring.end(server.key.key_id)
        await server.change("https://secret")
        text = await answer.text()
    assert "secret" not in text
    assert text.endswith('event: end\ndata: {"reason":"revoked"}\n\n')
    assert await server.closed("revoked")
