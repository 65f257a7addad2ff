"""No answer is stale for longer than its bound: a hundred thousand answers, compared with the history of commits.

Three instances run in simulated time, on hosts whose clocks are minutes apart and drift, in either direction. Kafka is
delayed (by partition), paused, and loses events; the replica lags and stops; Redis is emptied, is down, and is read at a
replica that lags; databases do not respond; a relay freezes in the middle of a heartbeat and continues late; processes end,
and others start from their snapshots, on the same host or on others; a host is suspended under a process that writes its
snapshot after that; the primary's clock is set ahead and back. docs/adr/0013 and docs/adr/0021 have the argument that this
tries to break.
"""

from collections.abc import Mapping
from random import Random

import pytest
import structlog

from data_plane.errors import RouteUnknown
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.fakes.simulated_log import PARTITIONS, Lag, SimulatedKafka, SimulatedPrimary, SimulatedRelay
from tests.fakes.simulated_resolver import SimulatedResolver
from tests.fakes.simulated_time import HostClock, TrueTime

KEYS = [RouteKey(f"team-{tenant}", f"s{service}", "prod", "v1") for tenant in range(6) for service in range(8)]
EVICTING = 2
"""The instance with less room than there are routes."""
FLOAT = 2e-6
"""Rounding of times since 1970, which events carry in microseconds."""
STEP, ASKED_AT_EACH = 0.08, 16
LONG_PHASE, SHORT_PHASE = 900, 120
"""Steps."""
DRIFT_OF_HOSTS, DRIFT_OF_PRIMARY = 120e-6, 75e-6
"""Together just below the drift that the bound allows for."""

WELL: Mapping[str, float] = {}
PHASES: dict[str, Mapping[str, float]] = {
    "well": WELL,
    "delayed": {"delay": 0.97},
    "paused": {"pause": 1},
    "dropped": {"drop": 0.01, "delay": 0.6},
    "lagging": {"stand": 0.995, "delay": 0.9},
    "frozen relay": {"freeze": 0.05, "delay": 0.5},
    "caches": {"flush": 0.02, "redis": 0.02, "delay": 0.8, "stand": 0.9},
    "lagging cache": {"cache stands": 0.97, "flush": 0.005, "delay": 0.7, "stand": 0.9},
    "restarts": {
        "snapshot": 0.1,
        "restart": 0.04,
        "sleep": 0.01,
        "drop": 0.02,
        "delay": 0.8,
        "stand": 0.9,
        "redis": 0.1,
        "down": 0.1,
    },
    "everything": {
        "delay": 0.9,
        "drop": 0.005,
        "stand": 0.97,
        "freeze": 0.05,
        "flush": 0.01,
        "redis": 0.02,
        "down": 0.02,
        "snapshot": 0.02,
        "restart": 0.005,
        "sleep": 0.01,
    },
    "set clock": {"set": 0.01, "delay": 0.9, "stand": 0.98, "freeze": 0.05},
}


class Simulation:
    """The whole product in simulated time, and what its instances have answered.

    `drift`: 1 or -1, the direction in which the hosts' clocks drift from the primary's.
    """

    def __init__(self, seed: int, *, steps_of_a_phase: int, drift: int) -> None:
        self.random = Random(seed)
        self._steps_of_a_phase = steps_of_a_phase
        self.time, self.lag = TrueTime(-drift * DRIFT_OF_PRIMARY), Lag()
        self.primary, self.kafka = SimulatedPrimary(self.time, self.random), SimulatedKafka()
        self.relay, self.redis = SimulatedRelay(self.primary, self.kafka), FakeRouteCache()
        fastest = drift * DRIFT_OF_HOSTS
        hosts = ((5.0, fastest, -240.0, 1000), (77_000.0, 0.0, 0.0, 1000), (900.0, fastest, 600.0, 12))
        self.resolvers = [
            SimulatedResolver(
                self.primary,
                self.kafka,
                self.redis,
                self.lag,
                HostClock(self.time, start=start, drift=drift, skew=skew),
                l1_entries=l1_entries,
            )
            for start, drift, skew, l1_entries in hosts
        ]
        self.slack: dict[str, list[float]] = {phase: [] for phase in (*PHASES, "evicting")}
        self.unknown = self.restored = 0
        self._beaten = self._asked_time = -100.0

    async def run(self) -> None:
        for phase, faults in PHASES.items():
            for _ in range(self._steps_of_a_phase):
                self.time.pass_by(self.random.uniform(0, 2 * STEP))
                await self._step(faults)
                for _ in range(ASKED_AT_EACH):
                    await self._ask(phase)

    def _happens(self, faults: Mapping[str, float], fault: str) -> bool:
        return self.random.random() < faults.get(fault, 0.0)

    async def _step(self, faults: Mapping[str, float]) -> None:
        if self.random.random() < 0.3:
            self.primary.commit(self.random.choice(KEYS))
        if self._happens(faults, "set"):
            self._set_the_primary_clock()
        self._relay(paused=bool(faults.get("pause")), freezes=self._happens(faults, "freeze"))
        self._servers(faults)
        for each in self.resolvers:
            await self._live_on(each, faults)
            await self._hear(each, faults)
        if self.time.now - self._asked_time > 10:
            self._asked_time = self.time.now
            for each in self.resolvers:
                each.read_primary_time(self.random.choice([0.0004, 0.003, 0.3]), self.random)

    def _set_the_primary_clock(self) -> None:
        """Ahead or back. If ahead, every instance reads the time at once: before, a bound may be too low."""
        by_seconds = self.random.choice([-1, 1]) * self.random.choice([0.5, 5.0, 20.0, 100.0])
        self.time.set_primary(by_seconds)
        self.time.pass_by(0.001)
        if by_seconds > 0:
            for each in self.resolvers:
                each.read_primary_time(0.0004, self.random)

    def _servers(self, faults: Mapping[str, float]) -> None:
        if not self._happens(faults, "stand"):
            self.lag.shown = self.time.now
        if self._happens(faults, "flush"):
            self.redis.flush()
        if "cache stands" not in faults:
            self.redis.replica = None
        elif not self._happens(faults, "cache stands"):
            self.redis.replica = dict(self.redis.entries)
        self.redis.is_down = self._broken(faults, "redis", self.redis.is_down)
        for each in self.resolvers:
            for database in (each.primary, each.replica):
                database.is_down = self._broken(faults, "down", database.is_down)

    def _broken(self, faults: Mapping[str, float], fault: str, was: bool) -> bool:
        """Whether it is broken: at random while this fault belongs to the phase, otherwise never."""
        return fault in faults and was != self._happens(faults, fault)

    async def _live_on(self, resolver: SimulatedResolver, faults: Mapping[str, float]) -> None:
        """Or kill the process at any time after its last snapshot, and start the next one from there."""
        if self._happens(faults, "snapshot"):
            await resolver.snapshots.write(pause_seconds=0)
        if self._happens(faults, "sleep"):
            await self._oversleep(resolver)
        if not self._happens(faults, "restart"):
            return
        await resolver.start_again(
            resolver.clock if self.random.random() < 0.5 else self._another_host(),
            knows_primary_time=self.random.random() < 0.8,
            offsets_are_gone=self.random.random() < 0.2,
        )
        self.restored += resolver.disk.kept is not None

    async def _oversleep(self, resolver: SimulatedResolver) -> None:
        """Suspend the host for a while; its process then writes a snapshot and ends. The next one starts without servers."""
        began = self.time.now
        for _ in range(10):
            self.time.pass_by(self.random.uniform(0, 4))
            self.primary.commit(self.random.choice(KEYS))
        resolver.clock.was_asleep_since(began)
        await resolver.snapshots.write(pause_seconds=0)
        self.time.pass_by(1)
        await resolver.start_again(resolver.clock, knows_primary_time=False, offsets_are_gone=False)
        self.redis.is_down = resolver.primary.is_down = resolver.replica.is_down = True

    def _another_host(self) -> HostClock:
        start, drift, skew = (
            self.random.uniform(1, 1e5),
            self.random.uniform(-1e-4, 1e-4),
            self.random.uniform(-600, 600),
        )
        return HostClock(self.time, start=start, drift=drift, skew=skew)

    async def _hear(self, resolver: SimulatedResolver, faults: Mapping[str, float]) -> None:
        if self._happens(faults, "drop"):
            resolver.reconnect(lost=self.random.random() < 0.7)
        for partition in range(PARTITIONS):
            if not self._happens(faults, "delay"):
                await resolver.apply_next(partition, self.random.choice([1, 3, 10_000]))
        await resolver.core.l2.flush_pending()

    def _relay(self, *, paused: bool, freezes: bool) -> None:
        if freezes:
            self.relay.freeze_in_the_middle()
        if paused:
            return
        if self.random.random() < 0.02:
            self.relay.wake_up_late()
        if self.time.now - self._beaten > 2:
            self._beaten = self.time.now
            self.relay.beat()
        else:
            self.relay.publish()

    async def _ask(self, phase: str) -> None:
        resolver, key = self.random.choice(self.resolvers), self.random.choice(KEYS)
        try:
            answer = await resolver.core.resolver.resolve(key)
        except RouteUnknown:
            return
        missing = [
            each.event.revision
            for each in self.primary.of_key.get(key, ())[-5:]
            if answer.entry.revision < each.event.revision <= answer.tenant_revision
        ]
        assert not missing, f"{key} at {answer.tenant_revision} lacks {missing}, {phase} at {self.time.now}"
        if answer.bound is None:
            self.unknown += 1
            return
        wrong_for = max(0.0, self.time.now - self.primary.wrong_since(key, answer.entry.revision))
        assert wrong_for <= answer.bound + FLOAT, f"{phase}, at {self.time.now}: {answer} was wrong for {wrong_for} s"
        roomy = resolver is not self.resolvers[EVICTING]
        self.slack[phase if roomy else "evicting"].append(answer.bound - wrong_for)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("drift", [1, -1], ids=["fast hosts", "slow hosts"])
async def test_no_answer_is_stale_for_longer_than_its_bound_in_many_short_runs(seed: int, drift: int) -> None:
    simulation = Simulation(seed, steps_of_a_phase=SHORT_PHASE, drift=drift)
    with structlog.testing.capture_logs():
        await simulation.run()
    assert all(simulation.slack.values())


async def test_no_answer_is_stale_for_longer_than_its_bound() -> None:
    simulation = Simulation(seed=2, steps_of_a_phase=LONG_PHASE, drift=1)
    with structlog.testing.capture_logs():
        await simulation.run()
    recorded = sum(map(len, simulation.slack.values()))
    for phase, slack in simulation.slack.items():
        ordered = sorted(slack)
        p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        print(f"{phase:>12}: {len(slack):6} answers, bound - staleness p50 {p50:.3f} s, p99 {p99:.3f} s")  # noqa: T201
    print(f"{recorded} answers with a bound, {simulation.unknown} without")  # noqa: T201
    assert recorded >= 100_000
    assert simulation.restored > 10
    well = sorted(simulation.slack["well"])
    assert well[int(len(well) * 0.99)] < 2.5
