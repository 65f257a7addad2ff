"""Change sets and their history: PostgreSQL and the fake behave alike."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.history import HistoryFilter
from control_plane.domain.intents import DesiredSet, Revert, RevertTo, Scope
from control_plane.domain.plans import NO_PRECONDITIONS, Plan, Preconditions
from control_plane.domain.requests import ChangeRequest, IdempotencyKey, RecordedResponse
from control_plane.domain.routes import PastRoute, RouteFilter, RoutePosition
from control_plane.errors import (
    KeyReused,
    MassDeactivation,
    NoSuchRevision,
    NoSuchTenant,
    PreconditionFailed,
    RevertConflict,
    RevisionMismatch,
)
from shared.schemas.events import Action, RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from tests.fakes.control_plane_change_sets import FakeChangeSets, FakeHistory
from tests.fakes.control_plane_registry import FakeRegistry, FakeRoutes, FakeTenants
from tests.support.control_plane import Registry, change_service, open_registry
from tests.support.postgres import Database

ADA, BOB = Attribution("ada", "release 42", "req-1"), Attribution("bob", None, "req-2")
ALL = RouteFilter()
V1, V2 = (RouteKey("team-a", "payments", "prod", version) for version in ("v1", "v2"))


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the ports; None for the fakes."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def registry(behind: Database | None) -> AsyncIterator[Registry]:
    """Revisions: 1 creates v1, 2 moves it and creates v2, 3 moves v1 back."""
    if behind is None:
        fake = FakeRegistry()
        yield await _with_history(
            Registry(FakeTenants(fake), FakeRoutes(fake), change_service(FakeChangeSets(fake)), FakeHistory(fake))
        )
        return
    async with open_registry(behind.url) as postgres:
        yield await _with_history(postgres)


async def _with_history(registry: Registry) -> Registry:
    await registry.tenants.create("team-a")
    await registry.apply(_puts((V1, "http://one")), ADA)
    await registry.apply(_puts((V1, "http://two"), (V2, "http://one")), BOB)
    await registry.apply(_puts((V1, "http://one")), ADA)
    return registry


def _puts(*routes: tuple[RouteKey, str]) -> WantedChangeSet:
    return WantedChangeSet("team-a", tuple(WantedRoute(key, is_active=True, url=url) for key, url in routes))


async def test_change_sets_are_listed_newest_first(registry: Registry) -> None:
    listed = await registry.history.page("team-a", HistoryFilter(), None, 2)
    assert [(each.revision, each.changed_by, each.reason, each.size) for each in listed] == [
        (3, "ada", "release 42", 1),
        (2, "bob", None, 2),
    ]
    assert [each.revision for each in await registry.history.page("team-a", HistoryFilter(), 2, 2)] == [1]
    by_ada = await registry.history.page("team-a", HistoryFilter(changed_by="ada"), None, 9)
    assert [each.revision for each in by_ada] == [3, 1]
    since = await registry.history.page("team-a", HistoryFilter(since=listed[1].committed_at), None, 9)
    assert [each.revision for each in since] == [3, 2]


async def test_change_set_has_the_values_before_and_after(registry: Registry) -> None:
    committed = await registry.history.get("team-a", 2)
    assert committed.summary.correlation_id == "req-2"
    changes = [(each.version, each.action, each.previous_url, each.url) for each in committed.changes]
    assert changes == [("v1", Action.UPDATED, "http://one", "http://two"), ("v2", Action.CREATED, None, "http://one")]


async def test_routes_at_a_revision_and_diffs_match_the_committed_changes(registry: Registry) -> None:
    at_two = [PastRoute(V1, RouteValue("http://two", True)), PastRoute(V2, RouteValue("http://one", True))]
    assert await registry.history.routes_at("team-a", 0, ALL, None, 9) == []
    assert await registry.history.routes_at("team-a", 2, ALL, None, 9) == at_two
    assert await registry.history.routes_at("team-a", 2, ALL, None, 1) == at_two[:1]
    assert await registry.history.routes_at("team-a", 2, ALL, RoutePosition("payments", "prod", "v1"), 9) == at_two[1:]
    assert await registry.history.routes_at("team-a", 2, RouteFilter(version="v2"), None, 9) == at_two[1:]
    created = RouteChange.between(V2, None, RouteValue("http://one", True))
    assert await registry.history.diff("team-a", 1, 3, None, 9) == [created]
    assert created.action is Action.CREATED


async def test_unknown_revision_and_tenant_are_reported(registry: Registry) -> None:
    for revision in (0, 4):
        with pytest.raises(NoSuchRevision):
            await registry.history.get("team-a", revision)
    with pytest.raises(NoSuchRevision, match="its last one is 3"):
        await registry.history.routes_at("team-a", 4, ALL, None, 9)
    with pytest.raises(NoSuchTenant):
        await registry.history.page("team-b", HistoryFilter(), None, 9)
    with pytest.raises(NoSuchRevision):
        await registry.apply(RevertTo("team-a", 4), ADA)


async def test_plan_equals_the_applied_changes(registry: Registry) -> None:
    request = ChangeRequest(
        RevertTo("team-a", 1, allow_mass_deactivation=True), ADA, replace(NO_PRECONDITIONS, expected_revision=3)
    )
    plan = await registry.changes.carry_out(replace(request, dry_run=True))
    assert isinstance(plan, Plan)
    assert (plan.base_revision, plan.revision, plan.committed) == (3, 3, False)
    done = await registry.changes.carry_out(request)
    assert isinstance(done, Plan)
    assert (done.revision, done.changes) == (4, plan.changes)
    assert [each.action for each in done.changes] == [Action.DEACTIVATED]


async def test_unmet_precondition_refuses_the_change_set(registry: Registry) -> None:
    put = _puts((V1, "http://three"))
    for error, intent, terms in (
        (RevisionMismatch, put, Preconditions(expected_revision=2)),
        (PreconditionFailed, put, Preconditions(route_revisions=frozenset({2}))),
        (PreconditionFailed, put, Preconditions(must_be_new=True)),
        (RevertConflict, Revert("team-a", 1), NO_PRECONDITIONS),
        (MassDeactivation, DesiredSet("team-a", (), Scope(service="payments")), NO_PRECONDITIONS),
        (MassDeactivation, RevertTo("team-a", 1), NO_PRECONDITIONS),
    ):
        with pytest.raises(error):
            await registry.apply(intent, ADA, terms)
    assert (await registry.tenants.get("team-a")).revision == 3


async def test_repeated_request_gets_its_recorded_response(registry: Registry) -> None:
    def answer(plan: Plan) -> RecordedResponse:
        return RecordedResponse(200, {"ETag": f'"{plan.revision}"'}, b"done")

    idempotency_key = IdempotencyKey("k1", b"fingerprint", answer)
    request = ChangeRequest(_puts((V1, "http://three")), ADA, idempotency_key=idempotency_key)
    assert isinstance(await registry.changes.carry_out(request), Plan)
    assert await registry.changes.carry_out(request) == RecordedResponse(200, {"ETag": '"4"'}, b"done")
    with pytest.raises(KeyReused):
        await registry.changes.carry_out(
            replace(request, idempotency_key=replace(idempotency_key, fingerprint=b"other"))
        )
    assert (await registry.tenants.get("team-a")).revision == 4
