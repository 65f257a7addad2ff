"""GET /api/v1/resolve: the question everything else is there for."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, PathParameter

from data_plane.domain.resolved import ResolvedRoute
from data_plane.http.answers import NO_ACTIVE_ROUTE, ROUTE_UNKNOWN, respond_with
from data_plane.http.conditions import accepts_stale
from data_plane.service.resolve import Resolver
from shared.runtime.http.problems import SHARED_KINDS, documented
from shared.schemas.identity import NAME_RULE, VERSION_RULE, RouteKey
from shared.schemas.validation import InvalidInput

RESOLVE_PATH = "/api/v1/resolve/{tenant:str}/{service:str}/{env:str}/{version:str}"
_ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v2"}
_FOUND = Example(
    summary="An active route", value={**_ROUTE, "url": "https://payments.team-a.example.com/v2", "revision": 42}
)
_RESPONSES = {
    200: ResponseSpec(ResolvedRoute, description="The URL to call", generate_examples=False, examples=[_FOUND]),
    304: ResponseSpec(None, description="The caller's `If-None-Match` names the present revision"),
    **documented(SHARED_KINDS[InvalidInput], NO_ACTIVE_ROUTE, ROUTE_UNKNOWN),
}


def _part(name: str, rule: str) -> Any:
    return PathParameter(description=rule, examples=[Example(value=_ROUTE[name])])


Tenant = Annotated[str, _part("tenant", NAME_RULE)]
Service = Annotated[str, _part("service", NAME_RULE)]
Environment = Annotated[str, _part("env", NAME_RULE)]
Version = Annotated[str, _part("version", VERSION_RULE)]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="Entity tags the caller has; 304 when the present one is among them",
        examples=[Example(value='"42"')],
    ),
]
CacheControl = Annotated[
    str | None,
    HeaderParameter(
        name="Cache-Control",
        description="`max-stale=0` refuses an answer that is past its life",
        examples=[Example(value="max-stale=0")],
    ),
]


def resolve_handler(resolver: Resolver) -> HTTPRouteHandler:
    """The handler that asks this resolver."""

    @get(
        RESOLVE_PATH,
        tags=["Resolve"],
        summary="Which URL serves this route now?",
        responses=_RESPONSES,
        opt={"operation": "routes.resolve"},
    )
    async def resolve(
        tenant: Tenant,
        service: Service,
        env: Environment,
        version: Version,
        if_none_match: IfNoneMatch = None,
        cache_control: CacheControl = None,
    ) -> Response[Any]:
        """Answered from this process, Redis or PostgreSQL; `X-Cache` tells from which.

        An answer is at most 60 seconds old (10 when there is no active route), and usually milliseconds. Only when no
        source can tell, an older one is given, marked `; stale`; `Cache-Control: max-stale=0` asks for a 503 instead.
        `ETag` is the revision that last changed the route; send it as `If-None-Match` to get a 304.
        """
        key = RouteKey(tenant, service, env, version)
        answer = await resolver.resolve(key, accept_stale=accepts_stale(cache_control))
        return respond_with(answer, if_none_match)

    return resolve
