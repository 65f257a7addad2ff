"""GET /api/v1/resolve: the question everything else is there for."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from data_plane.domain.route_encoding import ResolvedRoute
from data_plane.errors import NotFreshEnough, RevisionNotReached
from data_plane.http.conditional import accepts_stale
from data_plane.http.request_headers import read_consistency_of
from data_plane.http.responses import (
    NO_ACTIVE_ROUTE,
    NOT_AS_DEMANDED,
    ROUTE_UNKNOWN,
    refuse_behind,
    refuse_older,
    respond_with,
)
from data_plane.service.resolve.resolver import Resolver
from shared.runtime.http.openapi.operations import with_response_headers
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import SHARED_PROBLEM_TYPES
from shared.schemas.identity import NAME_RULE, NAME_SCHEMA, VERSION_RULE, VERSION_SCHEMA, RouteKey
from shared.schemas.validation import InvalidInput

OPERATION = "routes.resolve"
RESOLVE_PATH = "/api/v1/resolve/{tenant:str}/{service:str}/{env:str}/{version:str}"
_ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v2"}
_FOUND = Example(
    summary="An active route", value={**_ROUTE, "url": "https://payments.team-a.example.com/v2", "revision": 42}
)
_RESPONSES = {
    200: ResponseSpec(ResolvedRoute, description="The URL to call", generate_examples=False, examples=[_FOUND]),
    304: ResponseSpec(None, description="The caller's `If-None-Match` names the present revision"),
    **problem_responses(SHARED_PROBLEM_TYPES[InvalidInput], NO_ACTIVE_ROUTE, NOT_AS_DEMANDED, ROUTE_UNKNOWN),
}


def _part(name: str, rule: str) -> Any:
    schema = VERSION_SCHEMA if name == "version" else NAME_SCHEMA
    return PathParameter(description=rule, examples=[Example(value=_ROUTE[name])], schema_extra=dict(schema))


Tenant = Annotated[str, _part("tenant", NAME_RULE)]
Service = Annotated[str, _part("service", NAME_RULE)]
Environment = Annotated[str, _part("env", NAME_RULE)]
Version = Annotated[str, _part("version", VERSION_RULE)]
BOUND_HEADER = ResponseHeader(
    name="X-Staleness-Bound",
    description="For how many milliseconds the answer may have been wrong at most; `unknown` where nobody can tell",
    value="1200",
    documentation_only=True,
)
CACHE_HEADER = ResponseHeader(
    name="X-Cache",
    description="Who told: `l1`, `redis`, `replica` or `primary`; `; negative` where no route is active, `; stale` where the "
    "answer is past its life",
    value="l1",
    documentation_only=True,
)
ETAG_HEADER = ResponseHeader(
    name="ETag",
    description="The revision that last changed the route, in quotes",
    value='"42"',
    documentation_only=True,
)
AGE_HEADER = ResponseHeader(
    name="Age", description="How many seconds ago the answer was known to be right", value="3", documentation_only=True
)
LIFE_HEADER = ResponseHeader(
    name="Cache-Control",
    description="`max-age`: for how many seconds more the answer may be kept",
    value="max-age=57",
    documentation_only=True,
)
REACHED_HEADER = ResponseHeader(
    name="X-Revision-Reached",
    description="The tenant's revision that is known here, where it is less than the one asked for",
    value="41",
    documentation_only=True,
)
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="Entity tags the caller has; 304 when the present one is among them",
        examples=[Example(value='"42"')],
    ),
]
_MIN_REVISION = (
    "The tenant's revision that the answer must reflect at least, as a write has answered it: read your writes. Waits for "
    "it within the deadline; 409 with the revision reached when it does not come"
)
_A_NUMBER = {"pattern": "^[0-9]{0,18}$"}
MinRevisionHeader = Annotated[
    str,
    HeaderParameter(
        name="X-Min-Revision", description=_MIN_REVISION, examples=[Example(value="42")], schema_extra=_A_NUMBER
    ),
]
MinRevisionQuery = Annotated[
    str,
    QueryParameter(
        name="min_revision", description=_MIN_REVISION, examples=[Example(value="42")], schema_extra=_A_NUMBER
    ),
]
CacheControl = Annotated[
    str | None,
    HeaderParameter(
        name="Cache-Control",
        description="`max-age=<seconds>` refuses an answer that may have been wrong for longer: a fresher source is asked "
        "then; `max-stale=0` refuses an answer that is past its life",
        examples=[Example(value="max-age=1"), Example(value="max-stale=0")],
    ),
]


_OF_AN_ANSWER = (BOUND_HEADER, CACHE_HEADER, AGE_HEADER, LIFE_HEADER)
_OF_A_ROUTE = (*_OF_AN_ANSWER, ETAG_HEADER)
_Answering = with_response_headers({304: _OF_A_ROUTE, 404: _OF_AN_ANSWER, 409: (BOUND_HEADER, REACHED_HEADER)})


def resolve_handler(resolver: Resolver) -> HTTPRouteHandler:
    """The handler that asks this resolver."""

    @get(
        RESOLVE_PATH,
        tags=["Resolve"],
        summary="Which URL serves this route now?",
        responses=_RESPONSES,
        response_headers=_OF_A_ROUTE,
        operation_class=_Answering,
        opt={"operation": OPERATION},
    )
    async def resolve(
        tenant: Tenant,
        service: Service,
        env: Environment,
        version: Version,
        if_none_match: IfNoneMatch = None,
        cache_control: CacheControl = None,
        in_header: MinRevisionHeader = "",
        min_revision: MinRevisionQuery = "",
    ) -> Response[Any]:
        """Answered from this process, Redis or PostgreSQL; `X-Cache` tells from which.

        An answer is at most 60 seconds old (10 when there is no active route), and usually milliseconds. Only when no
        source can tell, an older one is given, marked `; stale`; `Cache-Control: max-stale=0` asks for a 503 instead.
        `X-Staleness-Bound` is for how many milliseconds it may have been wrong at most, or `unknown`.

        `ETag` is the revision that last changed the route; send it as `If-None-Match` to get a 304.
        """
        key = RouteKey(tenant, service, env, version)
        demand = read_consistency_of(cache_control, ("X-Min-Revision", in_header), ("min_revision", min_revision))
        try:
            answer = await resolver.resolve(key, accept_stale=accepts_stale(cache_control), demand=demand)
        except NotFreshEnough as refusal:
            return refuse_older(refusal)
        except RevisionNotReached as refusal:
            return refuse_behind(refusal)
        return respond_with(answer, if_none_match)

    return resolve
