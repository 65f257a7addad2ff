"""An index serves every query of the API in order, as MongoDB's explain shows for the received commands."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from audit_consumer.adapters.mongo.audit_trail import MongoAuditTrail
from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import Filters, SortKeyRange
from deploy.local.stack import Stack
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.events import Action
from tests.fakes.audit_ports import audit_app
from tests.support.audit import EPOCH, a_name, an_event, client_of
from tests.support.audit_servers import a_trail
from tests.support.clocks import MovableClock

FILTERS = {"tenant": "tenant-3", "service": "service-2", "env": "prod", "action": "updated"}
ROUTE = {"tenant": "tenant-3", "service": "service-2", "env": "prod", "version": "v1"}
RANGE = {"start": "2026-01-01T00:10:00Z", "end": "2026-01-01T00:40:00Z"}
ENDPOINTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "/route": (ROUTE, ("action",)),
    "/recent": ({"days": "1"}, tuple(FILTERS)),
    "/action": ({"action": "updated"}, ("tenant", "service", "env")),
    "/time-range": (RANGE, tuple(FILTERS)),
    "/correlation/req-7": ({}, tuple(FILTERS)),
}


def requests() -> Iterator[tuple[str, dict[str, str]]]:
    """Every endpoint with every combination of its filters."""
    for path, (given, filters) in ENDPOINTS.items():
        for size in range(len(filters) + 1):
            for chosen in combinations(filters, size):
                yield path, {**given, **{name: FILTERS[name] for name in chosen}}


def trail_of_an_hour() -> list[AuditEvent]:
    actions = list(Action)
    return [
        an_event(
            actions[number % 4],
            seconds=number,
            revision=number + 1,
            tenant=f"tenant-{number % 10}",
            service=f"service-{number % 7}",
            env=("dev", "prod")[number % 3 == 0],
            correlation_id=f"req-{number % 90}",
        )
        for number in range(3600)
    ]


class Explained:
    """The API on MongoDB, and MongoDB's plans for the queries of that API."""

    def __init__(self, database: "AsyncDatabase[dict[str, Any]]", client: httpx2.AsyncClient) -> None:
        self._database = database
        self._client = client

    async def stages(self, path: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """The stages of the executed plan of this request."""
        answer = await self._client.get(f"/api/v1/audit{path}", params=dict(parameters))
        assert answer.status_code == 200, answer.text
        received = self._database["system.profile"].find({"op": "query", "command.find": "events"})
        (newest,) = await received.sort("$natural", -1).limit(1).to_list(1)
        command = newest["command"]
        query = {name: command[name] for name in ("find", "filter", "sort", "hint", "limit")}
        plan = await self._database.command("explain", query, verbosity="executionStats")
        return list(_stages(plan["executionStats"]["executionStages"]))


def _stages(stage: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield stage
    for inner in [stage.get("inputStage"), *stage.get("inputStages", ())]:
        if inner:
            yield from _stages(inner)


@pytest_asyncio.fixture(scope="module")
async def explained(stack: Stack) -> AsyncIterator[Explained]:
    name = a_name()
    async with a_trail(stack, name) as trail:
        await _fill(trail)
        mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(stack.urls.mongo)
        await mongo[name].command("profile", 2)
        clock = MovableClock(EPOCH + timedelta(hours=1))
        async with client_of(audit_app(trail, clock)) as client:
            yield Explained(mongo[name], client)
        await mongo[name].command("profile", 0)
        await mongo.close()


async def _fill(trail: MongoAuditTrail) -> None:
    events = trail_of_an_hour()
    assert len((await trail.store(events)).stored) == len(events)


@pytest.mark.parametrize(("path", "parameters"), list(requests()), ids=str)
async def test_query_uses_an_index_without_a_sort_and_fetches_only_its_results(
    explained: Explained, path: str, parameters: dict[str, str]
) -> None:
    stages = {each["stage"]: each for each in await explained.stages(path, {**parameters, "limit": "20"})}
    assert stages.keys() == {"LIMIT", "FETCH", "IXSCAN"}
    assert stages["FETCH"]["docsExamined"] == stages["LIMIT"]["nReturned"]


@pytest.mark.parametrize(
    ("path", "parameters", "index"),
    [
        ("/route", ROUTE, "route_time"),
        ("/recent", {}, "time"),
        ("/recent", {"tenant": "tenant-3"}, "tenant_time"),
        ("/action", {"action": "updated"}, "action_time"),
        ("/time-range", RANGE, "time"),
        ("/time-range", {**RANGE, "tenant": "tenant-3"}, "tenant_time"),
        ("/correlation/req-7", {}, "correlation_time"),
    ],
)
async def test_unfiltered_query_reads_no_more_keys_than_it_returns(
    explained: Explained, path: str, parameters: dict[str, str], index: str
) -> None:
    limit = 10
    stages = await explained.stages(path, {**parameters, "limit": str(limit)})
    (scan,) = [each for each in stages if each["stage"] == "IXSCAN"]
    assert scan["indexName"] == index
    assert scan["keysExamined"] <= limit + 2


async def test_missing_index_is_unavailable_and_does_not_block_writes(stack: Stack) -> None:
    name = a_name()
    async with a_trail(stack, name) as trail:
        mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(stack.urls.mongo)
        await trail.store([an_event()])
        await mongo[name]["events"].drop_indexes()
        for _ in range(20):
            with pytest.raises(DependencyUnavailable, match="refused"):
                await trail.find(Filters(), SortKeyRange(None, None), 1)
        await trail.store([an_event()])
        await trail.create_indexes()
        assert len(await trail.find(Filters(), SortKeyRange(None, None), 10)) == 2
        await mongo.close()
