"""Change sets and their history in memory, behind the same ports as PostgreSQL."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from control_plane.domain.changes import Attribution, WantedChangeSet
from control_plane.domain.history import ChangeSetSummary, CommittedChanges, HistoryFilter
from control_plane.domain.intents import DesiredSet, Intent, Revert
from control_plane.domain.plans import TenantState
from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from control_plane.domain.routes import PastRoute, Route, RouteFilter, RoutePosition
from control_plane.errors import KeyReused, NoSuchRevision
from shared.schemas.events import RouteChange, RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.control_plane_registry import CommittedChangeSet, FakeRegistry, matches


class FakeChangeSets:
    """The ChangeSets port."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    @asynccontextmanager
    async def snapshot(self, tenant: str) -> AsyncIterator["FakeTransaction"]:
        self._registry.begin()
        yield FakeTransaction(self._registry, tenant)

    @asynccontextmanager
    async def transaction(self, tenant: str) -> AsyncIterator["FakeTransaction"]:
        self._registry.begin()
        transaction = FakeTransaction(self._registry, tenant)
        yield transaction
        transaction.store()


class FakeTransaction:
    """The TenantReader and ChangeSetTransaction ports. `store` is the commit."""

    def __init__(self, registry: FakeRegistry, tenant: str) -> None:
        self._registry = registry
        self._tenant = tenant
        self._writes: list[Callable[[], None]] = []

    async def lock_tenant(self) -> None:
        self._registry.tenant(self._tenant)

    async def recorded_response(self, key: IdempotencyKey[Any]) -> RecordedResponse | None:
        recorded = self._registry.recorded_responses.get((self._tenant, key.key))
        if recorded is None:
            return None
        if recorded[0] != key.fingerprint:
            raise KeyReused(key.key)
        return recorded[1]

    async def read_state(self, intent: Intent) -> TenantState:
        registry, tenant = self._registry, self._registry.tenant(self._tenant)
        routes = {key: route for key, route in registry.routes.items() if key.tenant == tenant.name}
        active = sum(each.value.is_active for each in routes.values())
        state = TenantState(tenant.revision, registry.now, len(routes), routes, active_count=active)
        if isinstance(intent, WantedChangeSet):
            return state
        if isinstance(intent, DesiredSet):
            return replace(state, routes={key: route for key, route in routes.items() if intent.scope.contains(key)})
        past = Past(registry, tenant.name)
        undone = past.changes_of(intent.revision) if isinstance(intent, Revert) else past.first_after(intent.revision)
        return replace(state, changes_to_undo=undone)

    async def write_change_set(self, event: RouteChanged, payload: bytes, headers: Mapping[str, str]) -> None:
        self._writes.append(lambda: self._store_change_set(event, headers))

    async def record_response(self, key: IdempotencyKey[Any], response: RecordedResponse, at: datetime) -> None:
        place, recorded = (self._tenant, key.key), (key.fingerprint, response)
        self._writes.append(lambda: self._registry.recorded_responses.update({place: recorded}))

    def store(self) -> None:
        for write in self._writes:
            write()

    def _store_change_set(self, event: RouteChanged, headers: Mapping[str, str]) -> None:
        registry, at = self._registry, event.occurred_at
        registry.tenants[event.tenant] = replace(registry.tenant(event.tenant), revision=event.revision)
        for key, change in event.keyed_changes():
            created_at = registry.routes[key].created_at if key in registry.routes else at
            registry.routes[key] = Route(key, change.value, event.revision, created_at, at)
        by = Attribution(event.changed_by, event.reason, event.correlation_id)
        registry.committed.append(
            CommittedChangeSet(event.tenant, event.revision, event.changes, by, dict(headers), at)
        )


class Past:
    """A tenant's committed change sets."""

    def __init__(self, registry: FakeRegistry, tenant: str) -> None:
        self._tenant = registry.tenant(tenant)
        self.committed = registry.committed_of(tenant)

    def require(self, revision: int, least: int = 0) -> None:
        if not least <= revision <= self._tenant.revision:
            raise NoSuchRevision(self._tenant.name, revision, self._tenant.revision)

    def changes_of(self, revision: int) -> Sequence[RouteChange]:
        self.require(revision, least=1)
        return self.committed[revision - 1].changes

    def first_after(self, revision: int) -> Sequence[RouteChange]:
        self.require(revision)
        first: dict[RouteKey, RouteChange] = {}
        for committed in self.committed[revision:]:
            for key, change in _keyed(committed):
                first.setdefault(key, change)
        return [first[key] for key in sorted(first)]

    def routes_at(self, revision: int) -> dict[RouteKey, PastRoute]:
        self.require(revision)
        then: dict[RouteKey, PastRoute] = {}
        for committed in self.committed[:revision]:
            then.update({key: PastRoute(key, each.value) for key, each in _keyed(committed)})
        return then


class FakeHistory:
    """The History port; it keeps everything."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    async def page(
        self, tenant: str, matching: HistoryFilter, before: int | None, limit: int
    ) -> Sequence[ChangeSetSummary]:
        self._registry.begin()
        found = [
            _summary(each)
            for each in reversed(Past(self._registry, tenant).committed)
            if before is None or each.revision < before
            if matching.changed_by in (None, each.attribution.changed_by)
            if matching.since is None or each.committed_at >= matching.since
        ]
        return found[:limit]

    async def get(self, tenant: str, revision: int) -> CommittedChanges:
        self._registry.begin()
        past = Past(self._registry, tenant)
        changes = past.changes_of(revision)
        return CommittedChanges(_summary(past.committed[revision - 1]), tuple(changes))

    async def diff(
        self, tenant: str, first: int, last: int, after: RoutePosition | None, limit: int
    ) -> Sequence[RouteChange]:
        self._registry.begin()
        past = Past(self._registry, tenant)
        before, then = past.routes_at(first), past.routes_at(last)
        found = [
            RouteChange.between(key, before[key].value if key in before else None, then[key].value)
            for key in sorted(then)
            if before.get(key) != then[key] and _follows(key, after)
        ]
        return found[:limit]

    async def routes_at(
        self, tenant: str, revision: int, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[PastRoute]:
        self._registry.begin()
        then = Past(self._registry, tenant).routes_at(revision)
        found = [route for key, route in sorted(then.items()) if matches(route, matching) and _follows(key, after)]
        return found[:limit]


def _follows(key: RouteKey, after: RoutePosition | None) -> bool:
    return after is None or (key.service, key.env, key.version) > (after.service, after.env, after.version)


def _keyed(committed: CommittedChangeSet) -> Iterable[tuple[RouteKey, RouteChange]]:
    for each in committed.changes:
        yield each.key(committed.tenant), each


def _summary(committed: CommittedChangeSet) -> ChangeSetSummary:
    by = committed.attribution
    return ChangeSetSummary(
        committed.revision,
        by.changed_by,
        by.reason,
        by.correlation_id,
        committed.committed_at,
        len(committed.changes),
    )
