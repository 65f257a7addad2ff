"""Change sets and their history in memory, behind the same ports as PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from control_plane.domain.changes import WantedChangeSet
from control_plane.domain.history import ChangeSetSummary, CommittedChanges, HistoryFilter
from control_plane.domain.intents import DesiredSet, Intent, Revert
from control_plane.domain.plans import Plan, TenantState, make_plan
from control_plane.domain.quota import keep_quota
from control_plane.domain.requests import ChangeRequest, RecordedResponse
from control_plane.domain.routes import PastRoute, RouteFilter, RoutePosition
from control_plane.errors import KeyReused, NoSuchRevision
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey
from tests.fakes.control_plane_registry import CommittedChangeSet, FakeRegistry, matches


class FakeChangeSets:
    """The ChangeSets port."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    async def plan(self, request: ChangeRequest) -> Plan:
        return self._plan(request, self._standing(request.intent))

    async def apply(self, request: ChangeRequest, headers: Mapping[str, str]) -> Plan | RecordedResponse:
        standing = self._standing(request.intent)
        once = request.once
        if once and (recorded := self._registry.answers.get((request.intent.tenant, once.key))):
            if recorded[0] != once.fingerprint:
                raise KeyReused(once.key)
            return recorded[1]
        plan = self._plan(request, standing).as_committed()
        if plan.committed:
            self._commit(plan, request, headers)
        if once:
            self._registry.answers[plan.tenant, once.key] = once.fingerprint, once.answer(plan)
        return plan

    def _plan(self, request: ChangeRequest, standing: TenantState) -> Plan:
        plan = make_plan(request.intent, request.terms, standing)
        routes = sum(key.tenant == plan.tenant for key in self._registry.routes)
        return keep_quota(plan, routes, self._registry.most_routes)

    def _standing(self, intent: Intent) -> TenantState:
        registry = self._registry
        now, tenant = registry.begin(), registry.tenant(intent.tenant)
        routes = {key: route for key, route in registry.routes.items() if key.tenant == tenant.name}
        active = sum(each.value.is_active for each in routes.values())
        if isinstance(intent, WantedChangeSet):
            return TenantState(tenant.revision, now, routes)
        if isinstance(intent, DesiredSet):
            inside = {key: route for key, route in routes.items() if intent.scope.holds(key)}
            return TenantState(tenant.revision, now, inside, active=active)
        past = Past(registry, tenant.name)
        undone = past.changes_of(intent.revision) if isinstance(intent, Revert) else past.first_after(intent.revision)
        return TenantState(tenant.revision, now, routes, active=active, undone=undone)

    def _commit(self, plan: Plan, request: ChangeRequest, headers: Mapping[str, str]) -> None:
        registry = self._registry
        tenant = registry.tenant(plan.tenant)
        registry.tenants[tenant.name] = replace(tenant, revision=plan.revision)
        registry.routes.update({each.route.key: each.route for each in plan.outcomes})
        registry.committed.append(
            CommittedChangeSet(
                tenant.name, plan.revision, plan.changes, request.attribution, dict(headers), registry.now
            )
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
