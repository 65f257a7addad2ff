"""A client that watches one of two instances, through failures of both.

Its routes always equal those of the database at the client's revision: no change was left out, repeated, or sent in
another order. If a progress event says that every change before a time was sent, it was.
"""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from data_plane.domain.close_reason import WatchEnded
from data_plane.errors import NoSuchTenant, RevisionGone, WatchUnavailable
from data_plane.service.watch.subscription import Subscription
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import World
from tests.support.watch_steps import reading_of

KEYS = [RouteKey("team-a", service, "prod", "v1") for service in ("one", "two")]
FOREIGN = RouteKey("team-b", "one", "prod", "v1")
_which = st.integers(0, 1)
ROUNDING = 1e-5
"""Of times since 1970, in seconds."""
_R = TypeVar("_R")


class Client:
    """The routes and revision of a client, from the events that it received."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: dict[RouteKey, str] = {}
        self.revision: int | None = None
        self.watching: Subscription | None = None

    async def connect(self, watch_hub: Any) -> None:
        """Resume from the client's revision; from a new snapshot if the change log no longer has it."""
        self.watching = None
        try:
            if self.revision is None:
                await self._begin(watch_hub)
            else:
                self.watching = await watch_hub.resume("team-a", self.revision)
        except RevisionGone:
            self.revision = None
            await self.connect(watch_hub)
        except (NoSuchTenant, WatchUnavailable):
            return
        self._check()

    async def _begin(self, watch_hub: Any) -> None:
        snapshot, self.watching = await watch_hub.begin("team-a")
        reading = reading_of(snapshot)
        self.revision = reading.revision
        self._routes = {RouteKey("team-a", *each[:3]): each.value.url for each in reading.routes}

    async def take(self) -> None:
        """Receive all available events."""
        if self.watching is None:
            return
        try:
            while (event := await self.watching.next(0)) is not None:
                assert event.revision == (self.revision or 0) + 1, "a change was left out or repeated"
                self.revision = event.revision
                for key, change in event.keyed_changes():
                    self._routes.pop(key, None)
                    if change.is_active:
                        self._routes[key] = change.url
                self._check()
        except WatchEnded:
            self.watching = None
            return
        self._check_proven_at(self.watching.proven_at)

    def _check(self) -> None:
        if self.revision is None:
            return
        commits = [each for each in self._world.database.log if each.key.tenant == "team-a"][: self.revision]
        held = {each.key: each.url for each in commits}
        assert self._routes == {key: url for key, url in held.items() if url is not None}

    def _check_proven_at(self, proven_at: float) -> None:
        if math.isfinite(proven_at):
            log = [each for each in self._world.database.log if each.key.tenant == "team-a"]
            given = [each for each in log if self._world.database.time_at(each.at) < proven_at - ROUNDING]
            assert len(given) <= (self.revision or 0), "a change before the time of a progress event was not sent"


class WatchHistory(RuleBasedStateMachine):
    """Steps in any order. The client checks each event."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.instances = [self.world.instance(change_log_changes=4), self.world.instance(change_log_changes=2)]
        self.stream_coverage = [0, 0]
        self.client = Client(self.world)

    def run(self, work: Coroutine[Any, Any, _R]) -> _R:
        return self.loop.run_until_complete(work)

    @rule(key=st.sampled_from([*KEYS, FOREIGN]), url=st.sampled_from([None, "https://a", "https://b"]))
    def change_a_route(self, key: RouteKey, url: str | None) -> None:
        self.world.database.commit(key, url)
        self.world.clock.advance(0.01)

    @rule(which=_which, count=st.integers(1, 5))
    def hear_the_next_events(self, which: int, count: int) -> None:
        events = [each.event for each in self.world.database.log[self.stream_coverage[which] :][:count]]
        self.stream_coverage[which] += len(events)
        self.run(self.instances[which].core.applier.apply(events))

    @precondition(lambda self: any(self.stream_coverage))
    @rule(which=_which, back=st.integers(1, 4))
    def hear_an_event_again(self, which: int, back: int) -> None:
        stream_coverage = self.world.database.log[: self.stream_coverage[which]]
        if stream_coverage:
            self.run(
                self.instances[which].core.applier.apply([stream_coverage[-min(back, len(stream_coverage))].event])
            )

    @rule(which=_which)
    def hear_a_heartbeat(self, which: int) -> None:
        pending = self.world.database.log[self.stream_coverage[which] :]
        self.instances[which].apply_heartbeat(pending[0].at if pending else None)

    @rule(which=_which)
    def lose_events(self, which: int) -> None:
        self.stream_coverage[which] = len(self.world.database.log)
        self.world.clock.advance(0.01)
        self.instances[which].open_stream()

    @rule(which=_which)
    def lose_events_silently(self, which: int) -> None:
        """The loss is detected by the next event; until then no progress is sent."""
        if self.stream_coverage[which] < len(self.world.database.log):
            event = self.world.database.log[self.stream_coverage[which]].event
            self.stream_coverage[which] += 1
            self.instances[which].stream_coverage.mark_gap(event.tenant, self.world.clock.monotonic())
            self.world.clock.advance(0.01)

    @rule(which=_which)
    def connect(self, which: int) -> None:
        self.run(self.client.connect(self.instances[which].core.watch_hub))

    @rule()
    def take(self) -> None:
        self.run(self.client.take())

    @rule(follows=st.booleans())
    def stop_the_replica_or_let_it_catch_up(self, follows: bool) -> None:
        if follows:
            self.world.tenant_replica.catch_up()
        else:
            self.world.tenant_replica.stop_here()

    @rule(replica=st.booleans(), primary=st.booleans())
    def break_or_mend_databases(self, replica: bool, primary: bool) -> None:
        self.world.tenant_replica.is_down, self.world.tenant_primary.is_down = replica, primary

    def teardown(self) -> None:
        try:
            self._converge()
        finally:
            self.loop.close()

    def _converge(self) -> None:
        """Once every server responds and every event has arrived, the client has the last revision."""
        self.break_or_mend_databases(replica=False, primary=False)
        self.stop_the_replica_or_let_it_catch_up(follows=True)
        self.hear_the_next_events(0, len(self.world.database.log))
        self.connect(0)
        self.take()
        commits = [each for each in self.world.database.log if each.key.tenant == "team-a"]
        assert self.client.revision == (len(commits) or None)


WatchHistory.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestWatchHistory = WatchHistory.TestCase
