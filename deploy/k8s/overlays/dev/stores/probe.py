"""A store's health over HTTP, for the kubelet: `/live` when its port takes connections, `/ready` when it answers.

A sidecar of each store of the dev overlay, on the services' image: `probe.py NAME URL`.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import asyncpg
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

PORT = 8008
_SECONDS = 2.0


async def _postgres(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    await connection.close(timeout=_SECONDS)


async def _redis(url: str) -> None:
    async with Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
        await client.ping()


async def _mongo(url: str) -> None:
    async with AsyncMongoClient[dict[str, object]](url, serverSelectionTimeoutMS=int(_SECONDS * 1000)) as client:
        await client.admin.command("ping")


async def _port(url: str) -> None:
    address = urlsplit(url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.close()


# Kafka opens its port when it has started.
READY: dict[str, Callable[[str], Awaitable[None]]] = {
    "postgres": _postgres,
    "redis": _redis,
    "kafka": _port,
    "mongo": _mongo,
}


async def answers(path: str, name: str, url: str) -> bool:
    """Whether the store does what the path is about."""
    check = READY[name] if path == "/ready" else _port
    try:
        async with asyncio.timeout(_SECONDS):
            await check(url)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the store does not answer
        sys.stderr.write(f"{name} {path}: {type(error).__name__}: {error}\n")
        return False
    return True


def main(name: str, url: str) -> None:
    """Serve until the pod ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if asyncio.run(answers(self.path, name, url)) else 503)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Log nothing: the kubelet sends several requests a minute."""

    ThreadingHTTPServer(("", PORT), Handler).serve_forever()  # the kubelet comes by the pod's address


if __name__ == "__main__":
    main(*sys.argv[1:])
