"""An audit trail in a dict: the plain model that the real one is compared with."""

from collections.abc import Sequence

from audit_consumer.domain.events import LARGEST_REVISION, AuditEvent
from audit_consumer.domain.queries import Filters, Span
from audit_consumer.ports import Refusal, Stored
from shared.runtime.resilience import DependencyUnavailable


class FakeAuditTrail:
    """Keeps what it is given but the `refused_ids`; nothing while `is_down`, or `stores_before_failing` of a write."""

    def __init__(self) -> None:
        self.events: dict[str, AuditEvent] = {}
        self.is_down = False
        self.is_prepared = False
        self.stores_before_failing = 0
        self.refused_ids: set[str] = set()
        self.writes = 0

    async def prepare(self) -> None:
        self._check()
        self.is_prepared = True

    async def ping(self) -> None:
        self._check()

    async def store(self, events: Sequence[AuditEvent]) -> Stored:
        self.writes += 1
        if self.is_down:
            self._keep(events[: self.stores_before_failing])
        self._check()
        return self._keep(events)

    def _keep(self, events: Sequence[AuditEvent]) -> Stored:
        stored, refused, duplicates = [], [], 0
        for event in events:
            if event.revision > LARGEST_REVISION or event.id in self.refused_ids:
                refused.append(Refusal(event, "it does not fit"))
            elif event.id in self.events:
                duplicates += 1
            else:
                self.events[event.id] = event
                stored.append(event)
        return Stored(stored, duplicates, refused)

    async def find(self, filters: Filters, span: Span, limit: int) -> Sequence[AuditEvent]:
        self._check()
        found = [each for each in self.events.values() if matches(each, filters) and _holds(span, each.sort_key)]
        return sorted(found, key=lambda event: event.sort_key, reverse=True)[:limit]

    def _check(self) -> None:
        if self.is_down:
            raise DependencyUnavailable("mongo", "it is down")


def matches(event: AuditEvent, filters: Filters) -> bool:
    """Whether the event is one of those asked for."""
    wanted = (filters.tenant, filters.service, filters.env, filters.version, filters.action, filters.correlation_id)
    route = event.route
    found = (route.tenant, route.service, route.env, route.version, event.action, event.correlation_id)
    return all(each is None or each == other for each, other in zip(wanted, found, strict=True))


def _holds(span: Span, sort_key: str) -> bool:
    return (span.first is None or span.first <= sort_key) and (span.below is None or sort_key < span.below)
