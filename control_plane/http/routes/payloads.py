"""The JSON of routes, the query parameters of their list, and the responses that carry a route."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Response

from control_plane.domain.plans import Plan
from control_plane.domain.requests import RecordedResponse
from control_plane.domain.routes import PastRoute, Route
from control_plane.http.common.plans import EXAMPLE_URL
from control_plane.http.common.request_fields import EnvFilter, PageQuery, Reason, ServiceFilter, VersionFilter
from control_plane.http.common.responses import change_headers, etag
from shared.schemas.events import Action


class PutRoute(msgspec.Struct, frozen=True, kw_only=True):
    """The new value of a route."""

    url: Annotated[
        str,
        msgspec.Meta(
            description="Absolute URL, at most 2,048 characters; an internationalised host is stored as ASCII (IDNA). After "
            "the host only characters of RFC 3986; percent-encode all others, and write a literal % as %25.",
            examples=["https://payments-v2.prod.example.com/api"],
        ),
    ]
    is_active: Annotated[bool, msgspec.Meta(description="Whether resolvers return the route.")] = True
    reason: Reason | None = None


class ChangeReason(msgspec.Struct, frozen=True, kw_only=True):
    """The reason for activating or deactivating a route."""

    reason: Reason | None = None


class RouteQuery(PageQuery, frozen=True, kw_only=True):
    """The query parameters of the list of routes."""

    service: ServiceFilter | None = None
    env: EnvFilter | None = None
    version: VersionFilter | None = None
    active: (
        Annotated[bool, msgspec.Meta(description="Only active routes, or only inactive ones.", examples=[True])] | None
    ) = None
    at_revision: (
        Annotated[
            int, msgspec.Meta(ge=0, description="List the routes as of this revision of the tenant.", examples=[42])
        ]
        | None
    ) = None


class _RouteFields(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    service: str
    env: str
    version: str
    url: str
    is_active: bool


def _route_fields(route: Route | PastRoute) -> dict[str, Any]:
    return {**msgspec.structs.asdict(route.key), **msgspec.structs.asdict(route.value)}


class RouteBody(_RouteFields, frozen=True, kw_only=True):
    """A route. `revision`: the tenant's revision that last changed it."""

    revision: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, route: Route) -> "RouteBody":
        return cls(
            **_route_fields(route),
            revision=route.revision,
            created_at=route.created_at,
            updated_at=route.updated_at,
        )


class RoutePage(msgspec.Struct, frozen=True, kw_only=True):
    """Routes by service, env and version. `next_cursor`: of the next page; null on the last page."""

    routes: list[RouteBody]
    next_cursor: str | None


class PastRouteBody(_RouteFields, frozen=True, kw_only=True):
    """A route as of an earlier revision."""

    @classmethod
    def of(cls, route: PastRoute) -> "PastRouteBody":
        return cls(**_route_fields(route))


class PastRoutePage(msgspec.Struct, frozen=True, kw_only=True):
    """Routes as of a revision, by service, env and version. `next_cursor`: of the next page; null on the last page."""

    at_revision: int
    routes: list[PastRouteBody]
    next_cursor: str | None


def route_response(route: Route) -> Response[RouteBody]:
    """200 with the route and its revision as entity tag."""
    return Response(RouteBody.of(route), headers={"ETag": etag(route.revision)})


def route_change_response(plan: Plan) -> RecordedResponse:
    """The response to a change of a single route: 201 with a created route, otherwise 200 with the route."""
    (outcome,) = plan.outcomes
    created = outcome.change is not None and outcome.change.action is Action.CREATED
    headers = change_headers(outcome.route.revision, plan.revision)
    return RecordedResponse(201 if created else 200, headers, msgspec.json.encode(RouteBody.of(outcome.route)))


EXAMPLE_ROUTE = RouteBody(
    tenant="team-a",
    service="payments",
    env="prod",
    version="v2",
    url=EXAMPLE_URL,
    is_active=True,
    revision=42,
    created_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    updated_at=datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC),
)
EXAMPLE_ROUTE_PAGE = RoutePage(routes=[EXAMPLE_ROUTE], next_cursor="cGF5bWVudHM6cHJvZDp2Mg")
EXAMPLE_PAST_ROUTE_PAGE = PastRoutePage(
    at_revision=42,
    routes=[
        PastRouteBody(
            tenant="team-a", service="payments", env="prod", version="v2", url=EXAMPLE_ROUTE.url, is_active=True
        ),
    ],
    next_cursor=None,
)
