"""The contract of the audit trail, for the fake and for MongoDB."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest
import pytest_asyncio

from audit_consumer.domain.events import MAX_REVISION, AuditEvent, format_time
from audit_consumer.domain.queries import Filters, SortKeyRange
from audit_consumer.ports import AuditReader, AuditStore, AuditWriter
from deploy.local.stack import Stack
from shared.schemas.events import Action
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.audit import EPOCH, an_event
from tests.support.audit_servers import a_trail

EVERYTHING = SortKeyRange(None, None)


class Trail(AuditReader, AuditWriter, AuditStore, Protocol):
    """Every port that the audit trail implements."""


@pytest_asyncio.fixture
async def real_trail(stack: Stack) -> AsyncIterator[Trail]:
    async with a_trail(stack) as trail:
        yield trail


@pytest.fixture(params=["fake", "real"])
def trail(request: pytest.FixtureRequest) -> Trail:
    if request.param == "fake":
        return FakeAuditTrail()
    real: Trail = request.getfixturevalue("real_trail")
    return real


async def test_event_is_read_back_as_it_was_stored(trail: Trail) -> None:
    events = [an_event(), an_event(Action.DEACTIVATED, seconds=0.123456), an_event(seconds=1e9)]
    await trail.store(events)
    assert await trail.find(Filters(), EVERYTHING, 10) == sorted(events, key=lambda each: each.sort_key, reverse=True)


async def test_storing_again_changes_nothing_and_counts_duplicates(trail: Trail) -> None:
    events = [an_event(seconds=number) for number in range(3)]
    assert (await trail.store(events[:2])).duplicates == 0
    done = await trail.store([*events, events[2]])
    assert (list(done.stored), done.duplicates, list(done.rejected)) == ([events[2]], 3, [])
    assert len(await trail.find(Filters(), EVERYTHING, 10)) == 3


async def test_unstorable_event_is_rejected_and_others_are_stored(trail: Trail) -> None:
    good = an_event()
    bad = replace(an_event(), revision=MAX_REVISION + 1)
    done = await trail.store([bad, good])
    assert list(done.stored) == [good]
    assert [each.event for each in done.rejected] == [bad]
    assert done.rejected[0].reason


async def test_storing_no_events_succeeds(trail: Trail) -> None:
    done = await trail.store([])
    assert (list(done.stored), done.duplicates, list(done.rejected)) == ([], 0, [])


async def test_find_returns_the_newest_events_up_to_the_limit(trail: Trail) -> None:
    events = [an_event(seconds=number) for number in (3, 1, 2, 5, 4)]
    await trail.store(events)
    found = await trail.find(Filters(), EVERYTHING, 3)
    assert [(each.occurred_at - EPOCH).total_seconds() for each in found] == [5, 4, 3]


async def test_events_of_one_millisecond_sort_by_microsecond_and_revision(trail: Trail) -> None:
    earlier = an_event(seconds=0.000001, revision=9, tenant="team-a")
    fifth, fourth = (an_event(seconds=0.000002, revision=each, tenant="team-a") for each in (5, 4))
    await trail.store([fourth, earlier, fifth])
    assert list(await trail.find(Filters(), EVERYTHING, 10)) == [fifth, fourth, earlier]


async def test_key_range_includes_its_start_and_excludes_its_end(trail: Trail) -> None:
    events = [an_event(seconds=number) for number in range(5)]
    await trail.store(events)
    by_key = SortKeyRange(events[1].sort_key, events[3].sort_key)
    assert list(await trail.find(Filters(), by_key, 10)) == [events[2], events[1]]
    by_time = SortKeyRange(format_time(EPOCH + timedelta(seconds=1)), format_time(EPOCH + timedelta(seconds=3)))
    assert list(await trail.find(Filters(), by_time, 10)) == [events[2], events[1]]


@pytest.mark.parametrize(
    "filters",
    [
        Filters(tenant="team-a"),
        Filters(service="carts"),
        Filters(env="dev"),
        Filters(version="v2"),
        Filters(action=Action.ACTIVATED),
        Filters(correlation_id="req-1"),
        Filters(tenant="team-a", service="payments", env="prod", version="v1", action=Action.CREATED),
    ],
    ids=str,
)
async def test_filters_match_equal_attributes(trail: Trail, filters: Filters) -> None:
    wanted: dict[str, Any] = {
        "tenant": filters.tenant or "team-x",
        "service": filters.service or "payments",
        "env": filters.env or "prod",
        "version": filters.version or "v1",
        "correlation_id": filters.correlation_id or "req-x",
    }
    right = an_event(filters.action or Action.CREATED, **wanted)
    others: list[AuditEvent] = [
        an_event(right.action, **{**wanted, name: "other"}) for name in wanted if getattr(filters, name) is not None
    ]
    if filters.action:
        others.append(an_event(Action.UPDATED, **wanted))
    await trail.store([right, *others])
    assert list(await trail.find(filters, EVERYTHING, 10)) == [right]


async def test_creating_indexes_again_succeeds(trail: Trail) -> None:
    await trail.create_indexes()
    await trail.create_indexes()
    await trail.ping()
