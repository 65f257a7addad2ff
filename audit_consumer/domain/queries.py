"""Queries over the audit trail, and the pages of their results."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from audit_consumer.domain.events import AuditEvent
from shared.schemas.events import Action

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The attributes that an event must have; None matches every event."""

    tenant: str | None = None
    service: str | None = None
    env: str | None = None
    version: str | None = None
    action: Action | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """The matching events in a period, newest first.

    The period is from `start` (inclusive) to `end` (exclusive), or the time since `last` before now.
    """

    filters: Filters = field(default_factory=Filters)
    start: datetime | None = None
    end: datetime | None = None
    last: timedelta | None = None

    def restricted_to(self, tenant: str) -> Self:
        """The query with this tenant as its filter; the same query when it filters by a tenant already."""
        return replace(self, filters=replace(self.filters, tenant=self.filters.tenant or tenant))

    def start_at(self, now: datetime) -> datetime | None:
        """The start of the period of a query that runs `now`; None when the period has no start."""
        return now - self.last if self.last is not None else self.start


@dataclass(frozen=True, slots=True)
class SortKeyRange:
    """The sort keys from `start` (inclusive) to `end` (exclusive). None means no bound."""

    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some results of a query, newest first. `next_cursor` is None on the last page."""

    events: Sequence[AuditEvent]
    next_cursor: str | None
