"""Answers to callers, and how they are documented."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from control_plane.domain.routes import Route
from control_plane.http.payloads import RouteBody, TenantBody

_B = TypeVar("_B", bound=msgspec.Struct)

REVISION_TAG = ResponseHeader(
    name="ETag", description="The route's revision, in quotes.", value='"42"', documentation_only=True
)

EXAMPLE_ROUTE = RouteBody(
    tenant="team-a",
    service="payments",
    env="prod",
    version="v2",
    url="https://payments-v2.prod.example.com/api",
    is_active=True,
    revision=42,
    created_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    updated_at=datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC),
)
EXAMPLE_TENANT = TenantBody(tenant="team-a", revision=42, created_at=datetime(2026, 2, 27, 8, 0, tzinfo=UTC))


def route_answer(route: Route, *, created: bool = False) -> Response[RouteBody]:
    """The route, tagged with its revision."""
    headers = {"ETag": f'"{route.revision}"'}
    return Response(RouteBody.of(route), status_code=201 if created else 200, headers=headers)


def shown(description: str, example: _B) -> ResponseSpec:
    """How an answer of the example's type is documented."""
    value: Any = msgspec.to_builtins(example)
    return ResponseSpec(
        type(example),
        description=description,
        generate_examples=False,
        examples=[Example(summary="As JSON", value=value)],
    )
