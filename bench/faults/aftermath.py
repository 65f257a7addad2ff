"""After a fault: the database, the outbox, Kafka, the audit trail, Redis and every L1 agree, and lack no acknowledged write."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import asyncpg
import msgspec
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from audit_consumer.settings import AuditSettings
from bench.faults.trial import Trial
from bench.faults.writing import Acknowledged
from shared.schemas.events import RouteChanged, UndecodableEvent, decode
from shared.schemas.identity import RouteKey
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.kafka import end_offsets, read_all
from tests.support.waiting import eventually

SETTLED_SECONDS = 60.0
CACHES_SECONDS = 15.0

_EVENTS = "SELECT payload FROM outbox WHERE topic = 'route-events' AND key = ANY($1) AND id > $2 ORDER BY id"
_CHANGE_SETS = (
    "SELECT name, change_sets.revision FROM change_sets JOIN tenants ON tenants.id = tenant_id WHERE name = ANY($1)"
)
_ROUTES = """
SELECT tenants.name AS tenant, services.name AS service, environments.name AS env, version, url, is_active, endpoints.revision
FROM endpoints JOIN environments ON environments.id = environment_id JOIN services ON services.id = service_id
JOIN tenants ON tenants.id = services.tenant_id WHERE tenants.name = ANY($1)
"""


@dataclass(frozen=True, slots=True)
class StoredRoute:
    """A route in the database; `url` None: not active."""

    url: str | None
    revision: int


class Aftermath:
    """Compares all stores after each row, and looks only at what the row has added."""

    def __init__(self) -> None:
        self._outbox_id = 0
        self._offsets: dict[int, int] = {}
        self._published: dict[str, int] = defaultdict(int)
        self._looked_for = 0

    async def begin(self, trial: Trial) -> None:
        """Take what is there now as given."""
        await eventually(lambda: self._is_drained(trial), within=SETTLED_SECONDS)
        connection = await asyncpg.connect(trial.stack.urls.postgres)
        try:
            self._outbox_id = await connection.fetchval("SELECT coalesce(max(id), 0) FROM outbox")
            rows = await connection.fetch(_CHANGE_SETS, list(trial.load.tenants))
        finally:
            await connection.close()
        for row in rows:
            self._published[row["name"]] = max(self._published[row["name"]], row["revision"])
        self._offsets = await end_offsets(trial.stack.urls.kafka, ROUTE_EVENTS.name)
        self._looked_for = len(trial.load.writers.acknowledged)

    async def check(self, trial: Trial) -> None:
        """Record what does not agree. Writes must have ended."""
        try:
            await eventually(lambda: self._is_drained(trial), within=SETTLED_SECONDS)
        except AssertionError as error:
            trial.expect("the outbox is drained", error, kept=False)
            return
        events = await self._check_database(trial)
        duplicates = await self._check_kafka(trial, events)
        trial.notes.append(f"{len(events):,} events, {duplicates:,} delivered again")
        await self._check_audit(trial, events)
        await self._check_caches(trial)

    async def _is_drained(self, trial: Trial) -> bool:
        connection = await asyncpg.connect(trial.stack.urls.postgres)
        try:
            return not await connection.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        finally:
            await connection.close()

    async def _check_database(self, trial: Trial) -> Sequence[RouteChanged]:
        tenants, writers = list(trial.load.tenants), trial.load.writers
        connection = await asyncpg.connect(trial.stack.urls.postgres)
        try:
            payloads = await connection.fetch(_EVENTS, tenants, self._outbox_id)
            self._outbox_id = await connection.fetchval("SELECT coalesce(max(id), 0) FROM outbox")
            change_sets = {(row["name"], row["revision"]) for row in await connection.fetch(_CHANGE_SETS, tenants)}
        finally:
            await connection.close()
        events = [event for event in (decode(row["payload"]) for row in payloads) if isinstance(event, RouteChanged)]
        by_revision = {(each.tenant, each.revision): each for each in events}
        acknowledged = writers.acknowledged[self._looked_for :]
        self._looked_for = len(writers.acknowledged)
        missing = [
            each
            for each in acknowledged
            if (each.tenant, each.revision) not in change_sets
            or not is_in(each, by_revision.get((each.tenant, each.revision)))
        ]
        trial.none_of(f"each of {len(acknowledged):,} acknowledged writes has its row and its outbox event", missing)
        return events

    async def _check_kafka(self, trial: Trial, events: Sequence[RouteChanged]) -> int:
        """Every event is in the topic, and each tenant's revisions ascend. Returns how many were there more than once."""
        if trial.records_deleted:
            self._offsets = await end_offsets(trial.stack.urls.kafka, ROUTE_EVENTS.name)
            self._published.update({each.tenant: each.revision for each in events})
            return 0
        records = await read_all(trial.stack.urls.kafka, ROUTE_EVENTS.name, self._offsets)
        for record in records:
            self._offsets[record.partition] = max(self._offsets.get(record.partition, 0), record.offset + 1)
        tenants = set(trial.load.tenants)
        published = [
            each for each in map(_decoded, (record.value for record in records)) if each and each.tenant in tenants
        ]
        broken, duplicates = out_of_order(published, self._published)
        expected = {each.tenant: each.revision for each in events}
        broken += [
            f"{tenant}: published up to revision {self._published[tenant]}, committed up to {revision}"
            for tenant, revision in expected.items()
            if self._published[tenant] != revision
        ]
        trial.none_of("every committed change is in Kafka, in revision order per tenant", broken)
        return duplicates

    async def _check_audit(self, trial: Trial, events: Sequence[RouteChanged]) -> None:
        wanted = {f"{event.event_id}:{index}" for event in events for index in range(len(event.changes))}
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(trial.stack.urls.mongo)
        try:
            trail = client[AuditSettings().mongo_database]["events"]

            async def missing() -> set[str]:
                found = trail.find({"_id": {"$in": list(wanted)}}, {"_id": 1})
                return wanted - {str(each["_id"]) async for each in found}

            begun = time.monotonic()
            while (lacking := await missing()) and time.monotonic() - begun < SETTLED_SECONDS:
                pass
            trial.none_of(f"each of {len(wanted):,} changes is in the audit trail", sorted(lacking))
        finally:
            await client.close()

    async def _check_caches(self, trial: Trial) -> None:
        """The routes that were written, as Redis and every instance have them."""
        load = trial.load
        changed, load.writers.changed = sorted(load.writers.changed), set()
        rows = await database_rows(trial)
        expected = {route: rows[load.path_of(route)] for route in changed}
        wanted = {route: url for route, url in load.history.current().items() if route in expected}
        differing = [route for route, url in wanted.items() if url != expected[route].url]
        trial.none_of("the database has the last acknowledged write of every route", differing)
        wrong: list[str] = []

        async def agree() -> bool:
            wrong[:] = [*await wrong_in_redis(trial, expected), *await self._wrong_answers(trial, expected)]
            return not wrong

        with contextlib.suppress(AssertionError):
            await eventually(agree, within=CACHES_SECONDS, every=0.5)
        trial.none_of(f"Redis and every L1 equal the database in {len(expected):,} changed routes", wrong)

    async def _wrong_answers(self, trial: Trial, expected: Mapping[int, StoredRoute]) -> list[str]:
        answers = await trial.load.answers(expected)
        return [
            f"{each.instance} answers {each.url} ({each.status}) for route {each.route}, the database has {expected[each.route].url}"
            for each in answers.values()
            if (each.status, each.url) != (200 if expected[each.route].url else 404, expected[each.route].url)
        ]


def is_in(write: Acknowledged, event: RouteChanged | None) -> bool:
    """Whether the event has this write."""
    if event is None:
        return False
    changes = [each for each in event.changes if each.service == f"s-{write.route}"]
    return any(each.url == write.url if write.url else not each.is_active for each in changes)


def out_of_order(published: Sequence[RouteChanged], newest: dict[str, int]) -> tuple[list[str], int]:
    """Each revision that came before the one it follows, and the number of repeated ones.

    `newest`: by tenant, the newest revision published before; it is brought up to date.
    """
    broken, duplicates = [], 0
    for each in published:
        if each.revision <= newest[each.tenant]:
            duplicates += 1
        elif each.revision == newest[each.tenant] + 1:
            newest[each.tenant] = each.revision
        else:
            broken.append(f"{each.tenant}: revision {each.revision} after {newest[each.tenant]}")
            newest[each.tenant] = each.revision
    return broken, duplicates


async def database_rows(trial: Trial) -> Mapping[str, StoredRoute]:
    """Every route of the tenants, by `tenant/service/env/version`."""
    connection = await asyncpg.connect(trial.stack.urls.postgres)
    try:
        rows = await connection.fetch(_ROUTES, list(trial.load.tenants))
    finally:
        await connection.close()
    return {
        f"{row['tenant']}/{row['service']}/{row['env']}/{row['version']}": StoredRoute(
            row["url"] if row["is_active"] else None, row["revision"]
        )
        for row in rows
    }


async def wrong_in_redis(trial: Trial, expected: Mapping[int, StoredRoute]) -> list[str]:
    """The entries in Redis that differ from the database; a route may be missing there."""
    redis = Redis.from_url(trial.stack.urls.redis)
    routes = list(expected)
    try:
        names = [f"route:{RouteKey(*trial.load.path_of(route).split('/'))}" for route in routes]
        stored = await redis.mget(names) if names else []
    finally:
        await redis.aclose()
    wrong = []
    for route, value in zip(routes, stored, strict=True):
        if value is None:
            continue
        revision, _, url, *_ = msgspec.msgpack.decode(cast("bytes", value))
        if (revision, url or None) != (expected[route].revision, expected[route].url):
            wrong.append(f"Redis has revision {revision} ({url}) of route {route}, the database {expected[route]}")
    return wrong


def _decoded(value: bytes | None) -> RouteChanged | None:
    try:
        event = decode(value)
    except UndecodableEvent:
        return None
    return event if isinstance(event, RouteChanged) else None
