"""404 responses for routes that are not active, assembled from encoded pieces.

They are not cached: assembling one takes about as long as encoding an uncached 200, and a storm of requests for routes
that do not exist must not displace the responses of the most used routes.
"""

from collections.abc import Sequence
from math import ceil

import msgspec

from data_plane.domain.slot import Slot
from data_plane.http.fast_path.caller_cache import CORRELATION_ID, CachedCaller
from data_plane.http.fast_path.headers import (
    AGE,
    CLOSE,
    LENGTH,
    MAX_AGE,
    PROBLEM_JSON,
    STALENESS_BOUND,
    UNKNOWN_BOUND,
    X_CACHE_NEGATIVE,
    Header,
    Messages,
)
from data_plane.http.fast_path.paths import TEMPLATE, route_in
from data_plane.http.responses import NO_ACTIVE_ROUTE, no_active_route_detail
from data_plane.http.tenant_concealment import concealed_route_problem
from data_plane.service.resolve.l1_reader import L1Reader
from shared.runtime import correlation
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.clock import LocalTime
from shared.runtime.health import Health
from shared.runtime.http.problems import problem_of
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter

_BODY = msgspec.json.encode(
    msgspec.structs.replace(problem_of(NO_ACTIVE_ROUTE, no_active_route_detail("%b")), correlation_id="%b")
)
"""The problem with placeholders for the key and the correlation id. No character of either needs escaping in JSON."""


class NotFoundResponses:
    """Assembles and counts 404 responses."""

    def __init__(
        self,
        l1_reader: L1Reader,
        *,
        negative_ttl_seconds: float,
        authenticator: Authenticator,
        health: Health,
        metrics: Metrics,
        constant: Sequence[Header],
    ) -> None:
        """`negative_ttl_seconds`: TTL that a concealed route's response states. `constant`: headers of every response."""
        self._constant = constant
        self._l1_reader = l1_reader
        self._concealed_headers = [
            (name.lower().encode(), value.encode())
            for name, value in concealed_route_problem(negative_ttl_seconds).headers.items()
        ]
        self._health = health
        self._ids = correlation.ids()
        requests = metrics.counter("tm_http_requests_total").labels(TEMPLATE, "GET", "404").inc
        self._negative_count = BufferedCounter(
            metrics, requests, l1_reader.count_negative, authenticator.count_accepted
        )
        self._concealed_count = BufferedCounter(metrics, requests, authenticator.count_accepted)

    def negative(self, caller: CachedCaller, route: bytes, slot: Slot, now: LocalTime) -> Messages:
        """The messages for a route whose slot is a negative entry."""
        l1_reader = self._l1_reader
        proven_at = l1_reader.proven_at(slot, route.partition(b"/")[0].decode())
        bound = None if proven_at is None else l1_reader.age(proven_at, now)
        staleness = UNKNOWN_BOUND if bound is None else STALENESS_BOUND[ceil(bound * 1000)]
        age = int(now - slot.read_at) if now > slot.read_at else 0
        self._negative_count.count += 1
        headers = [MAX_AGE[int(slot.expires_at - now)], AGE[age], X_CACHE_NEGATIVE, staleness]
        return self._messages(caller, route, headers)

    def concealed(self, caller: CachedCaller, path: bytes) -> Messages | None:
        """The messages for another tenant's route, without a look-up; None if the path is no route's."""
        route = route_in(path)
        if route is None:
            return None
        self._concealed_count.count += 1
        return self._messages(caller, route, [*self._concealed_headers])

    def _messages(self, caller: CachedCaller, route: bytes, headers: list[Header]) -> Messages:
        offered_id = caller.correlation_id
        request_id = next(self._ids) if offered_id is None else correlation.accept(offered_id).encode()
        body = _BODY % (route.replace(b"/", b":"), request_id)
        headers += PROBLEM_JSON, LENGTH[len(body)], *self._constant, (CORRELATION_ID, request_id)
        if self._health.draining:
            headers.append(CLOSE)
        start = {"type": "http.response.start", "status": 404, "headers": headers}
        return start, {"type": "http.response.body", "body": body, "more_body": False}
