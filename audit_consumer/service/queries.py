"""Queries over the audit trail, page by page."""

from audit_consumer.domain.cursors import Cursor
from audit_consumer.domain.events import format_time
from audit_consumer.domain.queries import AuditQuery, Page, SortKeyRange
from audit_consumer.ports import AuditReader
from shared.runtime.clock import Clock


class AuditQueries:
    """Pages through the audit trail, newest first."""

    def __init__(self, reader: AuditReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def page(
        self, query: AuditQuery, limit: int, cursor: str | None = None, *, visible_tenant: str | None = None
    ) -> Page:
        """At most `limit` events: the newest ones, or those after the page that returned the cursor.

        `visible_tenant` is the only tenant whose events the caller may read; None means every tenant. Events that are
        stored between two pages are newer than the later page and do not shift it.
        Raises InvalidInput for a cursor of another query, DependencyUnavailable, or QueryTooSlow.
        """
        query = query.restricted_to(visible_tenant) if visible_tenant is not None else query
        previous = Cursor.decode(cursor, query) if cursor is not None else None
        start = previous.start if previous else self._start_of(query)
        end = previous.after if previous else format_time(query.end) if query.end else None
        if visible_tenant is not None and query.filters.tenant != visible_tenant:
            return Page([], None)
        # One event more than requested shows whether there is a next page.
        found = await self._reader.find(query.filters, SortKeyRange(start, end), limit + 1)
        events = found[:limit]
        has_more = len(found) > limit
        return Page(events, Cursor(events[-1].sort_key, start).encode(query) if has_more else None)

    def _start_of(self, query: AuditQuery) -> str | None:
        start = query.start_at(self._clock.now())
        return format_time(start) if start else None
