"""GET /api/v1/watch: all routes of a tenant, and then every change of them."""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, QueryParameter

from data_plane.errors import RevisionGone
from data_plane.http.resolve import Tenant
from data_plane.http.sse.framing import CONTENT_TYPE, RenderedChanges, snapshot_event
from data_plane.http.sse.stream import StreamTiming, WatchResponse
from data_plane.http.tenant_concealment import valid_tenant
from data_plane.service.watch.hub import WatchHub
from data_plane.service.watch.subscription import Subscription
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_response_headers
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import SHARED_PROBLEM_TYPES, ProblemType, respond
from shared.schemas.validation import FieldError, InvalidInput

NO_SUCH_TENANT = ProblemType(404, "no-such-tenant", "There is no such tenant")
REVISION_GONE = ProblemType(410, "revision-gone", "The changes after that revision are not kept here")
TOO_MANY_WATCHERS = ProblemType(
    429, "too-many-watchers", "The tenant has too many watchers in this instance", retry_after=5
)
WATCH_UNAVAILABLE = ProblemType(503, "watch-unavailable", "This instance cannot begin a watch now", retry_after=1)

_STREAM = """: watching team-a
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
        examples=[Example(summary="Routes, a change, and a sign of life", value=_STREAM)],
    ),
    **problem_responses(
        SHARED_PROBLEM_TYPES[InvalidInput], NO_SUCH_TENANT, REVISION_GONE, TOO_MANY_WATCHERS, WATCH_UNAVAILABLE
    ),
}
OLDEST_HEADER = ResponseHeader(
    name="X-Oldest-Revision",
    description="The oldest revision that this instance can go on from",
    value="41",
    documentation_only=True,
)
BUFFERING_HEADER = ResponseHeader(
    name="X-Accel-Buffering",
    description="Asks nginx to pass on what is sent at once",
    value="no",
    documentation_only=True,
)
UNKEPT_HEADER = ResponseHeader(
    name="Cache-Control", description="No cache keeps a stream", value="no-store", documentation_only=True
)
_REVISION = {"pattern": "^[0-9]{1,18}$"}
_RESUME = "Revision that the client has: only what came after it is sent"
LastEventId = Annotated[
    str,
    HeaderParameter(
        name="Last-Event-ID",
        description=f"{_RESUME}. As browsers send it; goes before `since`",
        examples=[Example(value="57")],
        schema_extra=_REVISION,
    ),
]
Since = Annotated[
    str, QueryParameter(name="since", description=_RESUME, examples=[Example(value="57")], schema_extra=_REVISION)
]


def watch_handler(watches: WatchHub, authenticator: Authenticator, timing: StreamTiming) -> HTTPRouteHandler:
    """The handler that opens these watches."""
    rendered = RenderedChanges()

    def opened(request: Request[Any, Any, Any], subscription: Subscription, first: Iterable[bytes]) -> WatchResponse:
        caller, headers = principal_of(request), request.scope["headers"]
        return WatchResponse(subscription, first, rendered, timing, lambda: authenticator.check(headers) == caller)

    @get(
        "/api/v1/watch/{tenant:str}",
        tags=["Watch"],
        summary="All routes of a tenant, and every change as it is applied",
        media_type=CONTENT_TYPE,
        responses=_RESPONSES,
        response_headers=[BUFFERING_HEADER, UNKEPT_HEADER],
        operation_class=with_response_headers({410: [OLDEST_HEADER]}),
        opt={"operation": "routes.watch"},
    )
    async def watch(
        request: Request[Any, Any, Any], tenant: Tenant, last_event_id: LastEventId = "", since: Since = ""
    ) -> Response[Any]:
        """Server-sent events. `snapshot`: every active route at one revision. `change`: a change set as it was applied
        here, each once and in order; a route that is no longer active has the URL null. `progress`: a sign of life, and
        the primary's time up to which every acknowledged change was sent. `end`: why this instance ends the stream.

        The id of a snapshot or change is its revision. Come back with it in `Last-Event-ID` (or `since`) to go on
        without a gap or a repeat, with any instance. A 410 says that this is not possible any more, and with
        `X-Oldest-Revision` what would have been; begin without it then. A client that does not take what it is sent is
        disconnected.
        """
        valid_tenant(tenant)
        has = _revision("Last-Event-ID", last_event_id) if last_event_id else _revision("since", since)
        if has is None:
            reading, subscription = await watches.begin(tenant)
            return opened(request, subscription, snapshot_event(reading))
        try:
            subscription = await watches.resume(tenant, has)
        except RevisionGone as gone:
            return _begin_anew(gone)
        return opened(request, subscription, ())

    return watch


def _revision(name: str, text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(_REVISION["pattern"], text, re.ASCII):
        raise InvalidInput((FieldError(f"/{name}", f"must be a revision, a whole number; got {text[:80]!r}"),))
    return int(text)


def _begin_anew(gone: RevisionGone) -> Response[Any]:
    response = respond(REVISION_GONE, str(gone))
    response.headers["X-Oldest-Revision"] = str(gone.oldest)
    return response
