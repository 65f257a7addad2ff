"""Two instances with a lagging replica, a failing Redis, and events that arrive late, twice or in another order.

In every case: no instance answers an older revision after a newer one; an answer without `stale` is at most one TTL old; no
answer was wrong for longer than its bound, or lacks a change up to its tenant revision; and once every event has arrived and
every server responds, all instances answer with the value in the database.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from data_plane.domain.answer import Answer
from data_plane.errors import RouteUnknown
from data_plane.service.cache.freshness import SPREAD_SECONDS
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import World
from tests.support.active_values import url_of

KEYS = [RouteKey("team-a", service, "prod", "v1") for service in ("one", "two")]
FOREIGN = RouteKey("team-b", "one", "prod", "v1")
_keys, _which, _urls = st.sampled_from(KEYS), st.integers(0, 1), st.sampled_from([None, "https://a", "https://b"])
ROUNDING = 1e-5
"""Of times since 1970, in seconds."""
_R = TypeVar("_R")


class AnswerChecker:
    """Checks each answer of one instance against the history of the database."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._revisions: dict[RouteKey, int] = {}

    def check(self, answer: Answer) -> None:
        entry, now = answer.entry, self._world.clock.monotonic()
        assert entry.revision >= self._revisions.get(entry.key, 0), "an older revision after a newer one"
        self._revisions[entry.key] = entry.revision
        if not answer.stale:
            ttl = 60 if entry.is_active else 10
            recent = self._world.database.urls_since(entry.key, now - ttl)
            assert url_of(entry) in recent, f"{url_of(entry)} is older than {ttl} s: {recent}"
        if answer.bound is not None:
            recent = self._world.database.urls_since(entry.key, now - answer.bound - ROUNDING)
            assert url_of(entry) in recent, f"{url_of(entry)} is older than its bound of {answer.bound} s: {recent}"
        newer = [each.event.revision for each in self._world.database.log if each.key == entry.key]
        assert not [each for each in newer if entry.revision < each <= answer.tenant_revision], (
            "claims a revision it lacks"
        )


class ResolverHistory(RuleBasedStateMachine):
    """Steps in any order. `resolve` checks each answer, and `teardown` the final state."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.instances = [self.world.instance(), self.world.instance(l1_entries=1)]
        self.checkers = [AnswerChecker(self.world), AnswerChecker(self.world)]
        self.stream_coverage = [0, 0]
        self.waiting: list[tuple[int, asyncio.Event, asyncio.Task[Answer | None]]] = []

    def run(self, work: Coroutine[Any, Any, _R]) -> _R:
        return self.loop.run_until_complete(work)

    @rule(key=_keys, url=_urls)
    def change_a_route(self, key: RouteKey, url: str | None) -> None:
        self.world.database.commit(key, url)

    @rule(seconds=st.sampled_from([0.1, 1, 4, 9.9, 30, 59, 61, 4000]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(which=_which, count=st.integers(1, 3))
    def hear_the_next_events(self, which: int, count: int) -> None:
        events = [each.event for each in self.world.database.log[self.stream_coverage[which] :][:count]]
        self.stream_coverage[which] += len(events)
        self.run(self.instances[which].core.applier.apply(events))

    @rule(which=_which)
    def hear_a_heartbeat(self, which: int) -> None:
        pending = self.world.database.log[self.stream_coverage[which] :]
        self.instances[which].apply_heartbeat(pending[0].at if pending else None)

    @precondition(lambda self: self.world.database.log)
    @rule(which=_which, back=st.integers(1, 4))
    def hear_an_event_twice_or_early(self, which: int, back: int) -> None:
        log = self.world.database.log
        self.run(self.instances[which].core.applier.apply([log[-min(back, len(log))].event]))

    @rule(which=_which)
    def lose_events(self, which: int) -> None:
        self.stream_coverage[which] = len(self.world.database.log)
        self.instances[which].core.applier.mark_all_suspect()
        self.instances[which].open_stream()

    @rule(which=_which, keys=st.permutations([*KEYS, FOREIGN]), accept_stale=st.booleans())
    def resolve(self, which: int, keys: list[RouteKey], accept_stale: bool) -> None:
        self._finish(which)
        for key in keys:
            self.run(self._ask(which, key, accept_stale=accept_stale))

    @rule(key=_keys, which=_which, primary=st.booleans())
    def begin_a_slow_load(self, key: RouteKey, which: int, primary: bool) -> None:
        self._finish(which)
        source = self.world.primary if primary else self.world.replica
        gate = source.hold()
        task = self.loop.create_task(self._ask(which, key))
        self.run(_a_few_turns())
        source.release()
        self.waiting.append((which, gate, task))

    @rule(which=_which)
    def finish_slow_loads(self, which: int) -> None:
        self._finish(which)

    @rule(follows=st.booleans(), lag_is_known=st.booleans())
    def stop_the_replica_or_let_it_catch_up(self, follows: bool, lag_is_known: bool) -> None:
        self.world.replica.lag_is_known = lag_is_known
        if follows:
            self.world.replica.catch_up()
        else:
            self.world.replica.stop_here()

    @rule(redis=st.booleans(), replica=st.booleans(), primary=st.booleans())
    def break_or_mend_servers(self, redis: bool, replica: bool, primary: bool) -> None:
        self.world.redis.is_down, self.world.replica.is_down, self.world.primary.is_down = redis, replica, primary

    @rule()
    def restart_redis_empty(self) -> None:
        self.world.redis.flush()

    @rule(which=_which)
    def write_what_redis_missed(self, which: int) -> None:
        self.run(self.instances[which].core.l2.flush_pending())

    def teardown(self) -> None:
        try:
            self._converge()
        finally:
            self.loop.close()

    def _converge(self) -> None:
        self.break_or_mend_servers(redis=False, replica=False, primary=False)
        self.stop_the_replica_or_let_it_catch_up(follows=True, lag_is_known=True)
        for which, instance in enumerate(self.instances):
            self._finish(which)
            self.hear_the_next_events(which, len(self.world.database.log))
            assert self.run(instance.core.l2.flush_pending())
        self.let_time_pass(SPREAD_SECONDS)
        now = self.world.clock.monotonic()
        for which, instance in enumerate(self.instances):
            for key in KEYS:
                answer = self.run(self._ask(which, key, accept_stale=False))
                assert answer is not None
                assert {url_of(answer.entry)} == self.world.database.urls_since(key, now), (
                    "not the value in the database"
                )
            assert instance.count("tm_revision_regressions_total") == 0

    def _finish(self, which: int) -> None:
        for index, gate, task in self.waiting:
            if index == which:
                gate.set()
                self.run(_result(task))
        self.waiting = [each for each in self.waiting if each[0] != which]

    async def _ask(self, which: int, key: RouteKey, *, accept_stale: bool = True) -> Answer | None:
        try:
            answer = await self.instances[which].resolve(key, accept_stale=accept_stale)
        except RouteUnknown:
            return None
        self.checkers[which].check(answer)
        return answer


async def _result(task: asyncio.Task[Answer | None]) -> Answer | None:
    return await task


async def _a_few_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


ResolverHistory.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestResolverHistory = ResolverHistory.TestCase
