"""/api/v1/tenants: create, show and list tenants."""

from typing import Any

from litestar import Response, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from control_plane.errors import NoSuchTenant
from control_plane.http.common.cursors import encode_tenant, next_cursor
from control_plane.http.common.parsing import AnyRequest, accept_tenant
from control_plane.http.common.problem_types import PROBLEM_TYPES
from control_plane.http.common.request_fields import EmptyBody, TenantName
from control_plane.http.common.responses import example_response
from control_plane.http.tenants.parsing import accept_new_tenant, accept_tenant_page
from control_plane.http.tenants.payloads import (
    EXAMPLE_TENANT,
    EXAMPLE_TENANT_PAGE,
    TenantBody,
    TenantPage,
    TenantQuery,
)
from control_plane.service.tenants import TenantService
from shared.runtime.http.openapi.operations import with_body, with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT

_PROBLEMS = problem_responses(INVALID_INPUT, DEPENDENCY_UNAVAILABLE)


def _options(operation: str) -> dict[str, Any]:
    return {"tags": ["Tenants"], "opt": {"operation": operation}}


def tenant_handlers(tenants: TenantService) -> list[HTTPRouteHandler]:
    """The handlers that create, show and list tenants."""

    @put(
        "/api/v1/tenants/{tenant:str}",
        summary="Create a tenant",
        operation_class=with_body(EmptyBody, required=False, empty={}),
        responses={
            200: example_response("The tenant exists already", EXAMPLE_TENANT),
            201: example_response("Created", EXAMPLE_TENANT),
            **_PROBLEMS,
        },
        **_options("tenants.create"),
    )
    async def create_tenant(tenant: TenantName, body: RawBody) -> Response[TenantBody]:
        """Idempotent: returns a tenant that exists already, unchanged."""
        found, created = await tenants.create(accept_new_tenant(tenant, body))
        return Response(TenantBody.of(found), status_code=201 if created else 200)

    @get(
        "/api/v1/tenants/{tenant:str}",
        summary="Show a tenant",
        responses={
            200: example_response("The tenant", EXAMPLE_TENANT),
            **problem_responses(PROBLEM_TYPES[NoSuchTenant]),
            **_PROBLEMS,
        },
        **_options("tenants.show"),
    )
    async def show_tenant(tenant: TenantName) -> TenantBody:
        """`revision` is the number of the tenant's last change set, and 0 before the first."""
        return TenantBody.of(await tenants.get(accept_tenant(tenant)))

    @get(
        "/api/v1/tenants",
        summary="List tenants by name",
        operation_class=with_query(TenantQuery),
        responses={200: example_response("A page of tenants", EXAMPLE_TENANT_PAGE), **_PROBLEMS},
        **_options("tenants.list"),
    )
    async def list_tenants(request: AnyRequest) -> TenantPage:
        """All tenants of the platform, in pages."""
        after, limit = accept_tenant_page(request)
        found = await tenants.page(after, limit + 1)
        cursor = next_cursor([each.name for each in found], limit, encode_tenant)
        return TenantPage(tenants=[TenantBody.of(each) for each in found[:limit]], next_cursor=cursor)

    return [create_tenant, show_tenant, list_tenants]
