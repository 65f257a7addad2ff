"""Tenants and routes: PostgreSQL and the fake behave alike."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.routes import RouteFilter, RoutePosition
from control_plane.errors import NoSuchRoute, NoSuchTenant, RouteQuotaReached
from shared.schemas.events import Action
from shared.schemas.identity import RouteKey
from tests.fakes.control_plane_change_sets import FakeChangeSets, FakeHistory
from tests.fakes.control_plane_registry import FakeRegistry, FakeRoutes, FakeTenants
from tests.support.control_plane import ROUTE_QUOTA, Registry, change_service, open_registry
from tests.support.postgres import Database

BY = Attribution("ci-bot", "release 42", "req-1")
NO_FILTER = RouteFilter()


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the ports; None for the fakes."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest.fixture
def route_quota(request: pytest.FixtureRequest) -> int:
    """A small quota for the test that reaches it."""
    return 3 if "quota" in request.node.name else ROUTE_QUOTA


@pytest_asyncio.fixture(loop_scope="session")
async def registry(behind: Database | None, route_quota: int) -> AsyncIterator[Registry]:
    if behind is None:
        fake = FakeRegistry()
        changes = change_service(FakeChangeSets(fake), route_quota=route_quota)
        yield Registry(FakeTenants(fake), FakeRoutes(fake), changes, FakeHistory(fake))
        return
    async with open_registry(behind.url, route_quota=route_quota) as postgres:
        yield postgres


def _key(tenant: str, service: str = "payments", env: str = "prod", version: str = "v1") -> RouteKey:
    return RouteKey(tenant, service, env, version)


async def _put(registry: Registry, key: RouteKey, url: str = "http://one", *, is_active: bool = True) -> Action | None:
    wanted = WantedChangeSet(key.tenant, (WantedRoute(key, is_active, url),))
    (outcome,) = (await registry.apply(wanted, BY)).outcomes
    assert outcome.route == await registry.routes.get(key)
    return outcome.change.action if outcome.change else None


async def test_tenant_is_created_once(registry: Registry) -> None:
    made, created = await registry.tenants.create("team-a")
    assert (made.name, made.revision, created) == ("team-a", 0, True)
    assert await registry.tenants.create("team-a") == (made, False)
    assert await registry.tenants.get("team-a") == made


async def test_unknown_tenant_and_unknown_route_are_different_errors(registry: Registry) -> None:
    await registry.tenants.create("team-a")
    with pytest.raises(NoSuchTenant, match="PUT /api/v1/tenants/team-b"):
        await registry.tenants.get("team-b")
    with pytest.raises(NoSuchTenant):
        await registry.routes.get(_key("team-b"))
    with pytest.raises(NoSuchTenant):
        await registry.routes.page("team-b", NO_FILTER, None, 10)
    with pytest.raises(NoSuchTenant):
        await _put(registry, _key("team-b"))
    with pytest.raises(NoSuchRoute):
        await registry.routes.get(_key("team-a"))
    with pytest.raises(NoSuchRoute):
        await registry.apply(WantedChangeSet("team-a", (WantedRoute(_key("team-a"), is_active=True),)), BY)
    assert await registry.routes.page("team-a", NO_FILTER, None, 10) == []


async def test_only_a_change_takes_the_tenants_next_revision(registry: Registry) -> None:
    await registry.tenants.create("team-a")
    await registry.tenants.create("team-b")
    key = _key("team-a")
    assert await _put(registry, key) is Action.CREATED
    assert await _put(registry, key) is None
    assert await _put(registry, key, "http://two") is Action.UPDATED
    assert await _put(registry, key, "http://two", is_active=False) is Action.DEACTIVATED
    assert await _put(registry, _key("team-b")) is Action.CREATED
    assert await _put(registry, key, "http://three") is Action.ACTIVATED
    assert (await registry.tenants.get("team-a")).revision == 4
    assert (await registry.tenants.get("team-b")).revision == 1
    assert (await registry.routes.get(key)).revision == 4


async def test_change_set_takes_one_revision_for_all_its_changes(registry: Registry) -> None:
    await registry.tenants.create("team-a")
    await _put(registry, _key("team-a", version="v1"))
    keys = [_key("team-a", version=f"v{n}") for n in (3, 1, 2)] + [
        _key("team-a", service="other"),
        _key("team-a", env="dev"),
    ]
    wanted = WantedChangeSet("team-a", tuple(WantedRoute(key, is_active=True, url="http://one") for key in keys))
    outcomes = (await registry.apply(wanted, BY)).outcomes
    assert [each.route.key for each in outcomes] == keys
    assert [each.route.revision for each in outcomes] == [2, 1, 2, 2, 2]
    assert [each.route for each in outcomes] == [await registry.routes.get(key) for key in keys]


async def test_change_set_with_one_refused_change_changes_nothing(registry: Registry) -> None:
    await registry.tenants.create("team-a")
    wanted = (
        WantedRoute(_key("team-a"), is_active=True, url="http://one"),
        WantedRoute(_key("team-a", env="dev"), is_active=True),
    )
    with pytest.raises(NoSuchRoute, match="dev"):
        await registry.apply(WantedChangeSet("team-a", wanted), BY)
    assert (await registry.tenants.get("team-a")).revision == 0
    assert await registry.routes.page("team-a", NO_FILTER, None, 10) == []


async def test_tenant_at_its_route_quota_can_change_but_not_create_routes(registry: Registry) -> None:
    for tenant in ("team-a", "team-b"):
        await registry.tenants.create(tenant)
    await _put(registry, _key("team-a", version="v1"))
    await _put(registry, _key("team-a", version="v2"), is_active=False)
    too_many = tuple(
        WantedRoute(_key("team-a", version=version), is_active=True, url="http://new") for version in ("v1", "v3", "v4")
    )
    with pytest.raises(RouteQuotaReached, match="team-a has 2 of at most 3 routes, active and inactive; 2 more"):
        await registry.apply(WantedChangeSet("team-a", too_many), BY)
    assert (await registry.tenants.get("team-a")).revision == 2
    assert await _put(registry, _key("team-a", version="v3")) is Action.CREATED
    with pytest.raises(RouteQuotaReached):
        await _put(registry, _key("team-a", version="v4"))
    assert await _put(registry, _key("team-a", version="v3"), is_active=False) is Action.DEACTIVATED
    assert await _put(registry, _key("team-a", version="v2")) is Action.ACTIVATED
    assert await _put(registry, _key("team-b", version="v4")) is Action.CREATED


async def test_tenants_are_paged_by_name(registry: Registry) -> None:
    for name in ("b", "a-1", "a.1", "a", "a_1"):
        await registry.tenants.create(name)
    first = await registry.tenants.page(None, 2)
    assert [each.name for each in first] == ["a", "a-1"]
    assert [each.name for each in await registry.tenants.page("a-1", 10)] == ["a.1", "a_1", "b"]


async def test_routes_are_paged_per_tenant(registry: Registry) -> None:
    for tenant in ("team-a", "team-b"):
        await registry.tenants.create(tenant)
        for service, env, version in (("b", "dev", "v1"), ("a", "prod", "v2"), ("a", "prod", "V1"), ("a", "dev", "v9")):
            await _put(registry, _key(tenant, service, env, version))
    listed: list[RouteKey] = []
    after: RoutePosition | None = None
    while page := await registry.routes.page("team-a", NO_FILTER, after, 1):
        listed += [each.key for each in page]
        after = RoutePosition(listed[-1].service, listed[-1].env, listed[-1].version)
    assert listed == [
        _key("team-a", *parts)
        for parts in (("a", "dev", "v9"), ("a", "prod", "V1"), ("a", "prod", "v2"), ("b", "dev", "v1"))
    ]
    assert [each.key for each in await registry.routes.page("team-a", NO_FILTER, None, 10)] == listed


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        (RouteFilter(service="a"), ["v1", "v2"]),
        (RouteFilter(env="dev"), ["v2", "v3"]),
        (RouteFilter(version="v3"), ["v3"]),
        (RouteFilter(is_active=True), ["v1", "v3"]),
        (RouteFilter(is_active=False), ["v2"]),
        (RouteFilter(service="a", is_active=True), ["v1"]),
        (RouteFilter(service="nowhere"), []),
    ],
)
async def test_route_list_is_filtered(registry: Registry, matching: RouteFilter, expected: list[str]) -> None:
    await registry.tenants.create("team-a")
    await _put(registry, _key("team-a", "a", "prod", "v1"))
    await _put(registry, _key("team-a", "a", "dev", "v2"), is_active=False)
    await _put(registry, _key("team-a", "b", "dev", "v3"))
    found = await registry.routes.page("team-a", matching, None, 10)
    assert sorted(each.key.version for each in found) == expected
