"""GET /api/v1/watch: all routes of a tenant, then every change to them."""

from collections.abc import Iterable
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from data_plane.errors import RevisionGone
from data_plane.http.openapi import OLDEST_REVISION, STREAM_HEADERS, LastEventId, Since, Tenant
from data_plane.http.request_headers import refuse_repeated, revision_of
from data_plane.http.sse.framing import CONTENT_TYPE, ChangeEventCache
from data_plane.http.sse.stream import StreamTiming, WatchResponse, WatchStream
from data_plane.http.tenant_concealment import valid_tenant
from data_plane.service.watch.hub import WatchHub
from data_plane.service.watch.subscription import Subscription
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_response_headers
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import INVALID_INPUT, ProblemType, problem_response

NO_SUCH_TENANT = ProblemType(404, "no-such-tenant", "Tenant not found")
REVISION_GONE = ProblemType(410, "revision-gone", "Revision gone")
TOO_MANY_WATCHES = ProblemType(429, "too-many-watchers", "Too many watches", retry_after=5)
WATCH_UNAVAILABLE = ProblemType(503, "watch-unavailable", "Watch unavailable", retry_after=1)

_STREAM_EXAMPLE = """: watching team-a
retry: 1734

event: snapshot
id: 57
data: {"tenant":"team-a","revision":57,"as_of":"2026-03-02T16:05:12.504Z","routes":[
data: {"service":"payments","env":"prod","version":"v2","url":"https://payments.team-a.example.com/v2","revision":42}
data: ]}

event: change
id: 58
data: {"tenant":"team-a","revision":58,"occurred_at":"2026-03-02T16:05:40.122Z","correlation_id":"req-1","changes":[
data: {"action":"deactivated","service":"payments","env":"prod","version":"v2","url":null}
data: ]}

event: progress
data: {"revision":58,"as_of":"2026-03-02T16:05:48.010Z"}
"""
_RESPONSES = {
    200: ResponseSpec(
        str,
        description="A stream that stays open",
        media_type=CONTENT_TYPE,
        generate_examples=False,
        examples=[Example(summary="A snapshot, a change and a progress event", value=_STREAM_EXAMPLE)],
    ),
    **problem_responses(INVALID_INPUT, NO_SUCH_TENANT, REVISION_GONE, TOO_MANY_WATCHES, WATCH_UNAVAILABLE),
}


def watch_handler(hub: WatchHub, authenticator: Authenticator, timing: StreamTiming) -> HTTPRouteHandler:
    """The handler that opens watches of this hub. Each stream ends when `authenticator` revokes its caller."""
    event_cache = ChangeEventCache()

    def stream(request: Request[Any, Any, Any], subscription: Subscription, first: Iterable[bytes]) -> WatchResponse:
        caller, headers = principal_of(request), request.scope["headers"]

        def is_accepted() -> bool:
            return authenticator.check(headers) == caller

        return WatchResponse(WatchStream(subscription, first, event_cache, timing, is_accepted=is_accepted))

    @get(
        "/api/v1/watch/{tenant:str}",
        tags=["Watch"],
        summary="Stream all routes of a tenant, then every change",
        media_type=CONTENT_TYPE,
        responses=_RESPONSES,
        response_headers=STREAM_HEADERS,
        operation_class=with_response_headers({410: [OLDEST_REVISION]}),
        opt={"operation": "routes.watch"},
    )
    async def watch(
        request: Request[Any, Any, Any], tenant: Tenant, last_event_id: LastEventId = "", since: Since = ""
    ) -> Response[Any]:
        """Server-sent events. `snapshot`: every active route at one revision. `change`: a change set as this instance
        applied it, each once and in order; a route that is no longer active has the URL null. `progress`: sent
        periodically; `as_of` is the primary's time before which every acknowledged change was sent. `end`: the reason for
        which this instance ends the stream.

        The id of a snapshot or change is its revision. Send it as `Last-Event-ID` (or `since`) to resume on any instance
        without a gap or a repeat. A 410 means that the instance no longer has the changes after that revision;
        `X-Oldest-Revision` is the oldest that it can resume from. Start without `Last-Event-ID` then. A client that reads
        too slowly is disconnected.
        """
        valid_tenant(tenant)
        refuse_repeated(request.query_params, "since")
        revision = _resume_revision(last_event_id, since)
        if revision is None:
            snapshot, subscription = await hub.begin(tenant)
            return stream(request, subscription, snapshot.chunks())
        try:
            subscription = await hub.resume(tenant, revision)
        except RevisionGone as error:
            return _revision_gone_response(error)
        return stream(request, subscription, ())

    return watch


def _resume_revision(last_event_id: str, since: str) -> int | None:
    if last_event_id:
        return revision_of("Last-Event-ID", last_event_id)
    return revision_of("since", since) if since else None


def _revision_gone_response(error: RevisionGone) -> Response[Any]:
    response = problem_response(REVISION_GONE, str(error))
    response.headers["X-Oldest-Revision"] = str(error.oldest)
    return response
