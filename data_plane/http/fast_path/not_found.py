"""What is answered where no route is active: a 404, put together from encoded pieces.

Nothing of it is remembered. It is made in about the time of a 200 that is not, and a storm of questions for what is not
there must not take the place of the answers that are asked for most.
"""

from math import ceil

import msgspec

from data_plane.domain.slot import Slot
from data_plane.http.fast_path.caller_cache import CORRELATION, CachedCaller
from data_plane.http.fast_path.headers import (
    AGE,
    BOUND,
    CLOSE,
    LENGTH,
    MAX_AGE,
    NEGATIVE,
    PROBLEM,
    UNKNOWN_BOUND,
    Header,
    Messages,
)
from data_plane.http.fast_path.paths import TEMPLATE, route_in
from data_plane.http.responses import NO_ACTIVE_ROUTE, no_active_route_detail
from data_plane.http.tenant_concealment import concealed_route
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
"""With a place for the key, and one for the correlation id; no character of either needs escaping."""


class NotFoundResponses:
    """Tells that a route is not there, and counts how often."""

    def __init__(
        self,
        answers: L1Reader,
        *,
        negative_ttl_seconds: float,
        authenticator: Authenticator,
        health: Health,
        metrics: Metrics,
    ) -> None:
        """`negative_life`: in seconds."""
        self._answers = answers
        self._as_hidden = [
            (name.lower().encode(), value.encode())
            for name, value in concealed_route(negative_ttl_seconds).headers.items()
        ]
        self._health = health
        self._ids = correlation.ids()
        requests = metrics.counter("tm_http_requests_total").labels(TEMPLATE, "GET", "404").inc
        self._absent = BufferedCounter(metrics, requests, answers.count_negative, authenticator.count_accepted)
        self._hidden = BufferedCounter(metrics, requests, authenticator.count_accepted)

    def absent(self, caller: CachedCaller, route: bytes, slot: Slot, now: LocalTime) -> Messages:
        """For a route of which this is held, and which is not active."""
        answers = self._answers
        proven_at = answers.proven_at(slot, route.partition(b"/")[0].decode())
        bound = None if proven_at is None else answers.age(proven_at, now)
        told = UNKNOWN_BOUND if bound is None else BOUND[ceil(bound * 1000)]
        age = int(now - slot.read_at) if now > slot.read_at else 0
        self._absent.count += 1
        return self._messages(caller, route, [MAX_AGE[int(slot.expires_at - now)], AGE[age], NEGATIVE, told])

    def hidden(self, caller: CachedCaller, path: bytes) -> Messages | None:
        """For another tenant's route, whether it is there or not: nothing is looked up. None where it can be no route's
        path.
        """
        route = route_in(path)
        if route is None:
            return None
        self._hidden.count += 1
        return self._messages(caller, route, [*self._as_hidden])

    def _messages(self, caller: CachedCaller, route: bytes, headers: list[Header]) -> Messages:
        offered = caller.correlation_id
        request_id = next(self._ids) if offered is None else correlation.accept(offered).encode()
        body = _BODY % (route.replace(b"/", b":"), request_id)
        headers += PROBLEM, LENGTH[len(body)], (CORRELATION, request_id)
        if self._health.draining:
            headers.append(CLOSE)
        start = {"type": "http.response.start", "status": 404, "headers": headers}
        return start, {"type": "http.response.body", "body": body, "more_body": False}
