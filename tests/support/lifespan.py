"""Runs the lifespan of an ASGI application, as a server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

Message = MutableMapping[str, Any]
Application = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


@asynccontextmanager
async def lifespan_of(app: Application) -> AsyncIterator[None]:
    """Starts the application, and shuts it down afterwards.

    Raises RuntimeError with the application's message when its start-up or shutdown fails.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_run(app, scope, to_app, from_app))
        await to_app.put({"type": "lifespan.startup"})
        _expect(await from_app.get(), "lifespan.startup.complete")
        try:
            yield
        finally:
            await to_app.put({"type": "lifespan.shutdown"})
            _expect(await from_app.get(), "lifespan.shutdown.complete")


async def _run(
    app: Application, scope: Message, to_app: asyncio.Queue[Message], from_app: asyncio.Queue[Message]
) -> None:
    await app(scope, to_app.get, from_app.put)


def _expect(message: Message, wanted: str) -> None:
    if message["type"] != wanted:
        raise RuntimeError(f"{message['type']}: {message.get('message')}")
