"""The choice of the replica for a load."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.replica_fitness import EJECT_SECONDS, FAILURES, RETURN_SECONDS, SUCCESSES, ReplicaFitness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.loading.replica_pool import ReplicaPool
from data_plane.service.loading.source_chain import SourceChain
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_database import FakePrimary, FakeRouteSource
from tests.fakes.data_plane_world import KEY, World, summary_of
from tests.support.clocks import MovableClock

BEHIND = EJECT_SECONDS + 1


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Service.DATA_PLANE)


@pytest.fixture
def replicas(clock: MovableClock, metrics: Metrics) -> ReplicaPool:
    primary = FakePrimary(clock)
    sources = [FakeRouteSource(primary, f"replica-{number}") for number in (1, 2, 3)]
    return ReplicaPool(sources, clock=clock, metrics=metrics)


def asked(replicas: ReplicaPool) -> list[str]:
    return [each.name for each in replicas.usable()]


async def test_reads_rotate_over_the_replicas() -> None:
    world = World()
    instance = world.instance()
    replicas = ReplicaPool([world.replica, world.primary], clock=world.clock, metrics=instance.metrics)
    chain = SourceChain(l1=L1Cache(9, instance.metrics), l2=instance.core.l2, replicas=replicas, primary=None)
    firsts = [chain.databases()[0].database.name for _ in range(6)]
    assert sorted(firsts) == ["postgres"] * 3 + ["replica-1"] * 3


def test_usable_replicas_of_the_own_zone_are_read_before_the_others(clock: MovableClock, metrics: Metrics) -> None:
    sources = [FakeRouteSource(FakePrimary(clock), f"replica-{number}") for number in (1, 2, 3, 4)]
    replicas = ReplicaPool(sources, clock=clock, metrics=metrics, local={"replica-2", "replica-3"})
    chain = SourceChain(l1=L1Cache(9, metrics), l2=World().instance().core.l2, replicas=replicas, primary=None)

    def orders() -> set[tuple[str, ...]]:
        return {tuple(source.database.name[-1] for source in chain.databases()) for _ in range(8)}

    assert {order[:2] for order in orders()} == {("2", "3"), ("3", "2")}
    replicas.observe("replica-2", BEHIND)
    assert orders() == {("3", "1", "4", "2"), ("3", "4", "1", "2")}
    replicas.observe("replica-3", BEHIND + 1)
    assert {order[0] for order in orders()} == {"1", "4"}


def test_all_replicas_are_usable_at_first(replicas: ReplicaPool) -> None:
    assert sorted(asked(replicas)) == ["replica-1", "replica-2", "replica-3"]


def test_lagging_replica_is_unusable_at_once_and_read_last(replicas: ReplicaPool) -> None:
    replicas.observe("replica-2", BEHIND + 5)
    replicas.observe("replica-3", BEHIND)
    assert asked(replicas) == ["replica-1"]
    assert [each.name for each in replicas.unusable()] == ["replica-3", "replica-2"]


def test_replica_that_does_not_respond_for_long_is_unusable(replicas: ReplicaPool) -> None:
    for number in range(FAILURES):
        assert "replica-2" in asked(replicas), number
        replicas.observe("replica-2", None)
    assert "replica-2" not in asked(replicas)


def test_replica_is_usable_again_after_several_good_measurements(replicas: ReplicaPool) -> None:
    replicas.observe("replica-2", BEHIND)
    for lag in [RETURN_SECONDS, 0.0, 0.0, None, 0.0, 0.0, RETURN_SECONDS + 1, *[0.0] * (SUCCESSES - 1)]:
        replicas.observe("replica-2", lag)
        assert "replica-2" not in asked(replicas)
    replicas.observe("replica-2", 0.0)
    assert "replica-2" in asked(replicas)


def lag_shown(metrics: Metrics, replica: str) -> float:
    found = re.search(rf'tm_replica_lag_seconds{{replica="{replica}"}} (\S+)', metrics.exposition().decode())
    assert found is not None
    return float(found[1])


def test_exported_lag_grows_while_the_replica_does_not_respond(
    replicas: ReplicaPool, clock: MovableClock, metrics: Metrics
) -> None:
    shown = []
    for lag in [3.0, 0.5, None, None, 0.25, None]:
        clock.advance(1)
        replicas.observe("replica-2", lag)
        shown.append(lag_shown(metrics, "replica-2"))
    assert shown == [3.0, 0.5, 1.5, 2.5, 0.25, 1.25]


def test_lag_of_an_unmeasured_replica_is_infinite(replicas: ReplicaPool, metrics: Metrics) -> None:
    replicas.observe("replica-1", 0.0)
    replicas.observe("replica-2", None)
    assert (lag_shown(metrics, "replica-1"), lag_shown(metrics, "replica-2")) == (0.0, math.inf)


@given(st.lists(st.one_of(st.none(), st.floats(min_value=0))))
def test_replica_never_returns_without_good_responses_and_is_never_used_beyond_the_limit(
    lags: list[float | None],
) -> None:
    fitness = ReplicaFitness()
    for place, lag in enumerate(lags, start=1):
        changed = fitness.observe(lag)
        if lag is not None and lag > EJECT_SECONDS:
            assert not fitness.is_usable
        if changed and fitness.is_usable:
            assert all(each is not None and each < RETURN_SECONDS for each in lags[place - SUCCESSES : place])


async def test_lagging_replica_is_read_only_if_the_primary_fails() -> None:
    world = World()
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    instance.core.replicas.observe("replica-1", BEHIND)
    assert summary_of(await instance.resolve()) == "https://v1 primary"
    assert world.replica.reads == 0
    world.redis.flush()
    world.primary.is_down = True
    other = world.instance()
    other.core.replicas.observe("replica-1", BEHIND)
    assert summary_of(await other.resolve()) == "https://v1 replica"
    assert KEY in world.redis.entries


async def test_reading_behind_the_applied_events_has_a_short_ttl() -> None:
    world = World()
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    instance = world.instance()
    event = world.database.commit(KEY, "https://v2")
    other = RouteKey(KEY.tenant, "other", "prod", "v1")
    await instance.core.applier.apply([event])
    instance.core.replicas.observe("replica-1", BEHIND)
    world.primary.is_down = True
    assert summary_of(await instance.resolve(other)) == "absent replica"
    assert other not in world.redis.entries
    assert summary_of(await instance.resolve()) == "https://v2 l1"
