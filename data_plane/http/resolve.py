"""GET /api/v1/resolve: the URL of one route."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from data_plane.domain.route_encoding import ResolvedRoute
from data_plane.errors import NotFreshEnough, RevisionNotReached
from data_plane.http.openapi import (
    ANSWER_HEADERS,
    EXAMPLE_ROUTE,
    REVISION_REACHED,
    ROUTE_HEADERS,
    STALENESS_BOUND,
    CacheControl,
    Environment,
    IfNoneMatch,
    MinRevisionHeader,
    MinRevisionQuery,
    Service,
    Tenant,
    Version,
)
from data_plane.http.request_headers import accepts_stale, read_consistency_of, refuse_repeated
from data_plane.http.responses import (
    CONSISTENCY_NOT_MET,
    NO_ACTIVE_ROUTE,
    ROUTE_UNKNOWN,
    not_fresh_enough_response,
    revision_not_reached_response,
    route_response,
)
from data_plane.service.resolve.resolver import Resolver
from shared.runtime.http.openapi.operations import with_response_headers
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.openapi.response_headers import RETRY_AFTER
from shared.runtime.http.problems import INVALID_INPUT
from shared.runtime.tracing.spans import note
from shared.schemas.identity import RouteKey

OPERATION = "routes.resolve"
CACHE_LAYER = "tm.cache.layer"
"""The attribute of a request's span that names the layer that answered; `none` when no layer could."""
RESOLVE_PATH = "/api/v1/resolve/{tenant:str}/{service:str}/{env:str}/{version:str}"
_ROUTE_EXAMPLE = Example(
    summary="An active route", value={**EXAMPLE_ROUTE, "url": "https://payments.team-a.example.com/v2", "revision": 42}
)
_RESPONSES = {
    200: ResponseSpec(
        ResolvedRoute, description="The active route", generate_examples=False, examples=[_ROUTE_EXAMPLE]
    ),
    304: ResponseSpec(None, description="`If-None-Match` names the route's current revision"),
    **problem_responses(INVALID_INPUT, NO_ACTIVE_ROUTE, CONSISTENCY_NOT_MET, ROUTE_UNKNOWN),
}
_ResolveOperation = with_response_headers(
    {304: ROUTE_HEADERS, 404: ANSWER_HEADERS, 409: (STALENESS_BOUND, REVISION_REACHED, RETRY_AFTER)}
)


def resolve_handler(resolver: Resolver) -> HTTPRouteHandler:
    """The handler over this resolver."""

    @get(
        RESOLVE_PATH,
        tags=["Resolve"],
        summary="Resolve one route to its URL",
        responses=_RESPONSES,
        response_headers=ROUTE_HEADERS,
        operation_class=_ResolveOperation,
        opt={"operation": OPERATION},
    )
    async def resolve(
        request: Request[Any, Any, Any],
        tenant: Tenant,
        service: Service,
        env: Environment,
        version: Version,
        if_none_match: IfNoneMatch = None,
        cache_control: CacheControl = None,
        min_revision_header: MinRevisionHeader = "",
        min_revision: MinRevisionQuery = "",
    ) -> Response[Any]:
        """Reads this process's cache, then Redis, then PostgreSQL; `X-Cache` names the layer that answered.

        The answer is usually milliseconds old, and at most 60 seconds (10 when no route is active). When no source is
        available, the last known answer is served, marked `; stale`; `Cache-Control: max-stale=0` requests a 503 instead.
        `X-Staleness-Bound` is an upper bound on the answer's staleness in milliseconds, or `unknown`.

        `ETag` is the revision that last changed the route. Send it as `If-None-Match` to get a 304.
        """
        key = RouteKey(tenant, service, env, version)
        refuse_repeated(request.query_params, "min_revision")
        consistency = read_consistency_of(
            cache_control, ("X-Min-Revision", min_revision_header), ("min_revision", min_revision)
        )
        note(CACHE_LAYER, "none")
        try:
            answer = await resolver.resolve(key, accept_stale=accepts_stale(cache_control), consistency=consistency)
        except NotFreshEnough as error:
            return not_fresh_enough_response(error)
        except RevisionNotReached as error:
            return revision_not_reached_response(error)
        note(CACHE_LAYER, answer.layer.value)
        return route_response(answer, if_none_match)

    return resolve
