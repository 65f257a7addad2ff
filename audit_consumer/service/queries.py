"""Answers questions about who changed which route, when and why."""

from audit_consumer.domain.cursors import Cursor
from audit_consumer.domain.events import moment
from audit_consumer.domain.queries import AuditQuery, Page, Span
from audit_consumer.ports import AuditReader
from shared.runtime.clock import Clock


class AuditQueries:
    """Pages through the audit trail, newest first."""

    def __init__(self, reader: AuditReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def page(self, query: AuditQuery, limit: int, cursor: str | None = None, *, of: str | None = None) -> Page:
        """At most `limit` events, from the newest on or from where the page ended that gave the cursor.

        `of` is the only tenant whose events there are for the caller; None is everyone's. What arrives meanwhile is
        newer than the pages that follow and so does not move them.
        Raises InvalidInput for a cursor of another query, DependencyUnavailable, or QueryTooSlow.
        """
        query = query.confined_to(of) if of is not None else query
        begun = Cursor.decode(cursor, query) if cursor is not None else None
        start = begun.start if begun else self._start_of(query)
        below = begun.after if begun else moment(query.end) if query.end else None
        if of is not None and query.filters.tenant != of:
            return Page([], None)
        # One more than asked for, to know whether there is a next page.
        found = await self._reader.find(query.filters, Span(start, below), limit + 1)
        events = found[:limit]
        has_more = len(found) > limit
        return Page(events, Cursor(events[-1].sort_key, start).encode(query) if has_more else None)

    def _start_of(self, query: AuditQuery) -> str | None:
        start = query.start_at(self._clock.now())
        return moment(start) if start else None
