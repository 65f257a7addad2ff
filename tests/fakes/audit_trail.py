"""An audit trail in a dict, the model for the contract tests."""

from collections.abc import Sequence

from audit_consumer.domain.events import MAX_REVISION, AuditEvent
from audit_consumer.domain.queries import Filters, SortKeyRange
from audit_consumer.ports import Rejection, WriteResult
from shared.runtime.resilience import DependencyUnavailable


class FakeAuditTrail:
    """Stores every event except the `rejected_ids`. While `is_down`, a write stores `stores_before_failing` events and fails."""

    def __init__(self) -> None:
        self.events: dict[str, AuditEvent] = {}
        self.is_down = False
        self.is_prepared = False
        self.stores_before_failing = 0
        self.rejected_ids: set[str] = set()
        self.writes = 0

    async def create_indexes(self) -> None:
        self._check()
        self.is_prepared = True

    async def ping(self) -> None:
        self._check()

    async def store(self, events: Sequence[AuditEvent]) -> WriteResult:
        self.writes += 1
        if self.is_down:
            self._keep(events[: self.stores_before_failing])
        self._check()
        return self._keep(events)

    def _keep(self, events: Sequence[AuditEvent]) -> WriteResult:
        stored, rejected, duplicates = [], [], 0
        for event in events:
            if event.revision > MAX_REVISION or event.id in self.rejected_ids:
                rejected.append(Rejection(event, "it does not fit"))
            elif event.id in self.events:
                duplicates += 1
            else:
                self.events[event.id] = event
                stored.append(event)
        return WriteResult(stored, duplicates, rejected)

    async def find(self, filters: Filters, keys: SortKeyRange, limit: int) -> Sequence[AuditEvent]:
        self._check()
        found = [each for each in self.events.values() if matches(each, filters) and _holds(keys, each.sort_key)]
        return sorted(found, key=lambda event: event.sort_key, reverse=True)[:limit]

    def _check(self) -> None:
        if self.is_down:
            raise DependencyUnavailable("mongo", "it is down")


def matches(event: AuditEvent, filters: Filters) -> bool:
    """Whether the event matches the filters."""
    wanted = (filters.tenant, filters.service, filters.env, filters.version, filters.action, filters.correlation_id)
    route = event.route
    found = (route.tenant, route.service, route.env, route.version, event.action, event.correlation_id)
    return all(each is None or each == other for each, other in zip(wanted, found, strict=True))


def _holds(keys: SortKeyRange, sort_key: str) -> bool:
    return (keys.start is None or keys.start <= sort_key) and (keys.end is None or sort_key < keys.end)
