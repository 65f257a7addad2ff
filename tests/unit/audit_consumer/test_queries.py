"""Pages contain every event once, newest first, even while new events are stored."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_consumer.domain.queries import AuditQuery
from audit_consumer.service.queries import AuditQueries
from shared.schemas.events import RouteChanged
from shared.schemas.validation import InvalidInput
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.audit import an_event, audited
from tests.support.audit_model import QUERIES, all_pages, change_sets, expected
from tests.support.clocks import MovableClock

HOUR = 3600.0


@given(st.lists(change_sets(), max_size=12), QUERIES, st.integers(1, 7))
def test_pages_contain_every_event_once_newest_first(
    history: Sequence[RouteChanged], query: AuditQuery, limit: int
) -> None:
    events = [event for each in history for event in audited(each)]

    async def collect() -> None:
        trail = FakeAuditTrail()
        await trail.store(events)
        assert await all_pages(AuditQueries(trail, MovableClock()), query, limit) == expected(events, query)

    asyncio.run(collect())


async def test_events_stored_between_pages_do_not_shift_later_pages() -> None:
    trail = FakeAuditTrail()
    old = [an_event(seconds=number) for number in range(6)]
    await trail.store(old)
    queries = AuditQueries(trail, MovableClock())
    first = await queries.page(AuditQuery(), 3)
    await trail.store([an_event(seconds=100 + number) for number in range(10)])
    second = await queries.page(AuditQuery(), 3, first.next_cursor)
    assert [*first.events, *second.events] == old[::-1]
    assert second.next_cursor is None


async def test_all_pages_of_a_period_up_to_now_have_the_same_start() -> None:
    trail = FakeAuditTrail()
    await trail.store([an_event(seconds=0), an_event(seconds=HOUR)])
    clock = MovableClock()
    clock.advance(1.5 * HOUR)
    queries = AuditQueries(trail, clock)
    query = AuditQuery(last=timedelta(hours=2))
    first = await queries.page(query, 1)
    clock.advance(HOUR)
    second = await queries.page(query, 1, first.next_cursor)
    assert len(second.events) == 1
    assert len((await queries.page(query, 10)).events) == 1, "a new query no longer includes the older event"


async def test_cursor_allows_another_limit_and_refuses_another_query() -> None:
    trail = FakeAuditTrail()
    await trail.store([an_event(seconds=number) for number in range(5)])
    queries = AuditQueries(trail, MovableClock())
    cursor = (await queries.page(AuditQuery(), 1)).next_cursor
    assert len((await queries.page(AuditQuery(), 10, cursor)).events) == 4
    with pytest.raises(InvalidInput):
        await queries.page(AuditQuery(last=timedelta(days=1)), 1, cursor)
