"""Steps of watch tests on an instance, and the events of a subscription."""

import asyncio
import json
from dataclasses import dataclass

import pytest

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.close_reason import CloseReason, WatchEnded
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.tenant_reading import ActiveRoute
from data_plane.service.watch.encoded_snapshots import EncodedSnapshot
from data_plane.service.watch.subscription import Subscription
from shared.schemas.events import RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World

OTHER = RouteKey("team-b", "payments", "prod", "v1")


async def change(world: World, *instances: Instance, url: str | None = "https://v1") -> RouteChanged:
    """Commits a change and applies it in these instances."""
    event = world.database.commit(KEY, url)
    world.clock.advance(0.01)
    for instance in instances:
        await instance.core.applier.apply([event])
    return event


@dataclass(frozen=True, slots=True)
class ReceivedSnapshot:
    """All routes of a tenant, as a client has received them."""

    tenant: str
    revision: int
    routes: tuple[ActiveRoute, ...]
    proven_at: PrimaryTime


async def begin(instance: Instance, tenant: str = KEY.tenant) -> tuple[ReceivedSnapshot, Subscription]:
    snapshot, subscription = await instance.core.watch_hub.begin(tenant)
    reading = reading_of(snapshot)
    del snapshot
    await asyncio.sleep(0)  # The event loop drops the future that holds the snapshot; a later watch reads its own.
    return reading, subscription


def reading_of(snapshot: EncodedSnapshot) -> ReceivedSnapshot:
    """What a client reads from a snapshot."""
    lines = b"".join(snapshot.chunks()).decode().splitlines()
    body = json.loads("".join(line.removeprefix("data: ") for line in lines if line.startswith("data: ")))
    routes = (
        ActiveRoute(each["service"], each["env"], each["version"], ActiveValue(each["url"]), each["revision"])
        for each in body["routes"]
    )
    return ReceivedSnapshot(body["tenant"], body["revision"], tuple(routes), snapshot.proven_at)


async def resume(instance: Instance, since: int) -> Subscription:
    return await instance.core.watch_hub.resume(KEY.tenant, since)


async def given(watching: Subscription) -> list[int]:
    """The revisions of all events that the subscription has now."""
    revisions = []
    while (event := await watching.next(0)) is not None:
        revisions.append(event.revision)
    return revisions


async def ending_of(watching: Subscription) -> CloseReason:
    with pytest.raises(WatchEnded) as ended:
        await watching.next(0)
    return ended.value.reason
