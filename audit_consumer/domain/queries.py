"""What can be asked of the audit trail, and how an answer is cut into pages."""

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
    """What an event must be equal to; None is anything."""

    tenant: str | None = None
    service: str | None = None
    env: str | None = None
    version: str | None = None
    action: Action | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which events are asked for: those that match, from `start` on and before `end`, or of the `last` hours or days.

    They come newest first.
    """

    filters: Filters = field(default_factory=Filters)
    start: datetime | None = None
    end: datetime | None = None
    last: timedelta | None = None

    def confined_to(self, tenant: str) -> Self:
        """The same question about this tenant only, unless it is about another one."""
        return replace(self, filters=replace(self.filters, tenant=self.filters.tenant or tenant))

    def start_at(self, now: datetime) -> datetime | None:
        """Where the query begins when it is asked now; None is at the beginning of time."""
        return now - self.last if self.last is not None else self.start


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sort keys, from `first` on and below `below`. None is without a bound."""

    first: str | None
    below: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the events asked for, newest first; `next_cursor` continues, None when there are no more."""

    events: Sequence[AuditEvent]
    next_cursor: str | None
