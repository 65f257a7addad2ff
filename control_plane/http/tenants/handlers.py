"""The handlers of /api/v1/tenants."""

from typing import Annotated

from litestar import Response, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, RawBody

from control_plane.errors import NoSuchTenant
from control_plane.http.common import cursors
from control_plane.http.common.problem_types import INVALID, PROBLEM_TYPES, UNAVAILABLE
from control_plane.http.common.responses import EXAMPLE_TENANT, example_response
from control_plane.http.routes.parsing import AnyRequest, accept_new_tenant, accept_tenant, accept_tenant_page
from control_plane.http.routes.payloads import Nothing, TenantBody, TenantPage, TenantQuery
from control_plane.service.tenants import TenantService
from shared.runtime.http.openapi.operations import with_body, with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.schemas.identity import NAME_SCHEMA

TenantName = Annotated[
    str,
    PathParameter(
        description="1 to 63 of a-z 0-9 . _ -, first and last a letter or digit.", schema_extra=dict(NAME_SCHEMA)
    ),
]

_PROBLEMS = problem_responses(INVALID, UNAVAILABLE)
_TAGS = ["Tenants"]


def tenant_handlers(tenants: TenantService) -> list[HTTPRouteHandler]:
    """Create, show and list tenants."""

    @put(
        "/api/v1/tenants/{tenant:str}",
        tags=_TAGS,
        opt={"operation": "tenants.create"},
        summary="Create a tenant",
        operation_class=with_body(Nothing, required=False, empty={}),
        responses={
            200: example_response("It existed before", EXAMPLE_TENANT),
            201: example_response("Created", EXAMPLE_TENANT),
            **_PROBLEMS,
        },
    )
    async def create_tenant(tenant: TenantName, body: RawBody) -> Response[TenantBody]:
        """Idempotent: a tenant that exists is answered as it stands."""
        found, created = await tenants.create(accept_new_tenant(tenant, body))
        return Response(TenantBody.of(found), status_code=201 if created else 200)

    @get(
        "/api/v1/tenants/{tenant:str}",
        tags=_TAGS,
        opt={"operation": "tenants.show"},
        summary="Show a tenant",
        responses={
            200: example_response("The tenant", EXAMPLE_TENANT),
            **problem_responses(PROBLEM_TYPES[NoSuchTenant]),
            **_PROBLEMS,
        },
    )
    async def show_tenant(tenant: TenantName) -> TenantBody:
        return TenantBody.of(await tenants.get(accept_tenant(tenant)))

    @get(
        "/api/v1/tenants",
        tags=_TAGS,
        opt={"operation": "tenants.list"},
        summary="List tenants by name",
        operation_class=with_query(TenantQuery),
        responses={
            200: example_response("A page of tenants", TenantPage(tenants=[EXAMPLE_TENANT], next_cursor="dGVhbS1h")),
            **_PROBLEMS,
        },
    )
    async def list_tenants(request: AnyRequest) -> TenantPage:
        after, limit = accept_tenant_page(request)
        found = await tenants.page(after, limit + 1)
        more = cursors.after_tenant(found[limit - 1].name) if len(found) > limit else None
        return TenantPage(tenants=[TenantBody.of(each) for each in found[:limit]], next_cursor=more)

    return [create_tenant, show_tenant, list_tenants]
