"""Pages from MongoDB equal those of the model."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from audit_consumer.domain.queries import AuditQuery
from audit_consumer.service.queries import AuditQueries
from deploy.local.stack import Stack
from shared.schemas.events import RouteChanged
from tests.support.audit import audited
from tests.support.audit_model import QUERIES, all_pages, change_sets, expected
from tests.support.audit_servers import a_trail
from tests.support.clocks import MovableClock


@settings(max_examples=25, deadline=None)
@given(st.lists(change_sets(), max_size=8), QUERIES, st.integers(1, 7))
async def test_pages_contain_every_event_once_newest_first(
    stack: Stack, history: Sequence[RouteChanged], query: AuditQuery, limit: int
) -> None:
    events = [event for each in history for event in audited(each)]
    async with a_trail(stack) as trail:
        await trail.store(events)
        assert await all_pages(AuditQueries(trail, MovableClock()), query, limit) == expected(events, query)
