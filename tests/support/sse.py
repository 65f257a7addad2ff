"""A client for server-sent events, as the WHATWG standard defines them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `id` is None for an event without an id field."""

    name: str
    id: str | None
    data: Any


async def events_of(lines: AsyncIterator[str]) -> AsyncIterator[ServerEvent]:
    """The events in the lines of a stream, without comments and retry fields."""
    fields: dict[str, list[str]] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            identity = fields["id"][-1] if "id" in fields else None
            yield ServerEvent(fields.get("event", ["message"])[-1], identity, json.loads("\n".join(fields["data"])))
        fields = {}


@asynccontextmanager
async def watch(
    http: httpx2.AsyncClient, resolver: str, tenant: str, *, since: int | None = None
) -> AsyncIterator[AsyncIterator[ServerEvent]]:
    """The events of a watch over HTTP, from a snapshot or after a revision. An error response fails the test."""
    headers = {} if since is None else {"Last-Event-ID": str(since)}
    async with http.stream("GET", f"{resolver}/api/v1/watch/{tenant}", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events_of(answer.aiter_lines())


async def next_change(events: AsyncIterator[ServerEvent]) -> ServerEvent:
    """The next event that is not a progress event."""
    async for event in events:
        if event.name != "progress":
            return event
    raise AssertionError("the stream has ended")
