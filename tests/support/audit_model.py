"""Random events and queries, and a model of the audit trail in plain Python that gives the expected pages."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import AuditQuery, Filters
from audit_consumer.service.queries import AuditQueries
from shared.schemas.events import Action, RouteChanged
from tests.fakes.audit_trail import matches
from tests.support.audit import EPOCH
from tests.support.factories import a_change, a_change_set

# Few values, so that filters match events. Times within two milliseconds, so that dates in MongoDB would be equal.
TENANTS = st.sampled_from(["team-a", "team-b"])
SERVICES = st.sampled_from(["payments", "carts"])
ACTIONS = st.sampled_from(list(Action))
MOMENTS = st.integers(0, 2_000).map(lambda micros: EPOCH + timedelta(microseconds=micros))
CORRELATIONS = st.sampled_from(["req-1", "req-2"])


@st.composite
def change_sets(draw: st.DrawFn) -> RouteChanged:
    """A change set of one to three changes."""
    changes = draw(st.lists(st.builds(a_change, ACTIONS, service=SERVICES), min_size=1, max_size=3))
    return a_change_set(
        *changes,
        tenant=draw(TENANTS),
        revision=draw(st.integers(1, 5)),
        occurred_at=draw(MOMENTS),
        correlation_id=draw(CORRELATIONS),
    )


def _maybe(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | values


FILTERS = st.builds(
    Filters,
    tenant=_maybe(TENANTS),
    service=_maybe(SERVICES),
    action=st.none() | ACTIONS,
    correlation_id=_maybe(CORRELATIONS),
)
QUERIES = st.builds(AuditQuery, filters=FILTERS, start=st.none() | MOMENTS, end=st.none() | MOMENTS)


def expected(events: Sequence[AuditEvent], query: AuditQuery) -> list[AuditEvent]:
    """The events that match the query, newest first, by time and then revision."""
    start, end = query.start or datetime.min.replace(tzinfo=UTC), query.end or datetime.max.replace(tzinfo=UTC)
    found = [each for each in events if matches(each, query.filters) and start <= each.occurred_at < end]
    return sorted(found, key=lambda each: (each.occurred_at, each.revision, each.event_id, each.index), reverse=True)


async def all_pages(queries: AuditQueries, query: AuditQuery, limit: int) -> list[AuditEvent]:
    """The events of all pages, from the first cursor to the last."""
    found: list[AuditEvent] = []
    cursor: str | None = None
    while True:
        page = await queries.page(query, limit, cursor)
        assert len(page.events) <= limit
        found += page.events
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.events) == limit, "only the last page may be short"
