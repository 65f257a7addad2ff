"""A full L1 and the fast path over it, without any other part of the resolver."""

from collections.abc import Iterator

from litestar.types import ASGIApp

from bench.caller import record_of
from bench.seeded import key as key_of
from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.http.fast_path.middleware import FastPath
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.resolve.l1_reader import L1Reader
from shared.runtime.access.authenticator import CredentialAuthenticator
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.tokens import AccessKey
from shared.runtime.clock import LocalTime, SystemClock
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import Heartbeat

TTL_SECONDS = 3600.0
LAST_REVISION = 100_000_000


class FullCache:
    """An L1 with this capacity. The primary's time is known and the stream is covered, as without faults."""

    def __init__(self, routes: int, key: AccessKey) -> None:
        """`key`: the access key that is accepted."""
        self._routes = routes
        self._clock = SystemClock()
        self.metrics, self.health = Metrics(Service.DATA_PLANE), Health({})
        self._cache = L1Cache(routes, self.metrics)
        ttl_policy, stream_coverage, primary_clock = TtlPolicy(TTL_SECONDS), StreamCoverage(), PrimaryClock()
        now = self._clock.monotonic()
        primary_clock.observe(sent=now, received=now, remote=PrimaryTime(self._clock.now().timestamp()))
        stream_coverage.begin({0: 0}, at=now, resumed=False)
        staleness = StalenessBounds(
            stream_coverage=stream_coverage,
            watermarks=Watermarks(),
            primary_clock=primary_clock,
            ttl_policy=ttl_policy,
            clock=self._clock,
            metrics=self.metrics,
        )
        freshness = Freshness(ttl_policy, self._clock, self.metrics)
        keyring = Keyring(self._clock, self.metrics)
        keyring.put(record_of(key))
        self.authenticator = CredentialAuthenticator(keyring, None, clock=self._clock, metrics=self.metrics)
        self._stream_coverage, self._answers = (
            stream_coverage,
            L1Reader(
                l1=self._cache,
                freshness=freshness,
                staleness=staleness,
                stream_coverage=stream_coverage,
                primary_clock=primary_clock,
                clock=self._clock,
                metrics=self.metrics,
            ),
        )

    def behind(self, app: ASGIApp) -> FastPath:
        """The fast path in front of this application, which gets all other requests."""
        return FastPath(
            app,
            self._answers,
            negative_ttl_seconds=TTL_SECONDS,
            authenticator=self.authenticator,
            health=self.health,
            metrics=self.metrics,
        )

    def apply_heartbeat(self) -> None:
        """Apply a heartbeat, as the control plane sends one every two seconds."""
        self._stream_coverage.mark_applied(0, 0, [Heartbeat(as_of=self._clock.now(), partitions=1)])

    def filling(self) -> Iterator[int]:
        """Store one route after the other, each with its own times and revision, as after loads."""
        now, time = self._clock.monotonic(), self._clock.now().timestamp()
        for number in range(self._routes):
            route, later = key_of(number), number / 1e6
            url = f"http://{route.service}.{route.tenant}-prod.svc.cluster.local:8080"
            expires_at, revision = LocalTime(now + TTL_SECONDS + later), 1000 + number
            entry = Entry(
                route,
                State.ACTIVE,
                ActiveValue(url),
                revision,
                LocalTime(now + later),
                expires_at,
                PrimaryTime(time + later),
                LAST_REVISION,
            )
            self._cache.store(entry)
            yield number
