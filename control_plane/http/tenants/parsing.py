"""Requests about tenants, parsed, with every error reported at once."""

from control_plane.http.common.cursors import decode_tenant
from control_plane.http.common.parsing import AnyRequest, accepted, read_parameters
from control_plane.http.common.request_fields import EmptyBody
from control_plane.http.tenants.payloads import TenantQuery
from shared.runtime.http.payload import read_body
from shared.schemas.identity import name_errors


def accept_new_tenant(tenant: str, body: bytes) -> str:
    """The name of the tenant to create; the body is optional. Raises InvalidInput."""
    _, errors = read_body(body or b"{}", EmptyBody)
    return accepted(tenant, name_errors(tenant=tenant), errors)


def accept_tenant_page(request: AnyRequest) -> tuple[str | None, int]:
    """The name after which the requested page of tenants begins, and its limit. Raises InvalidInput."""
    query = accepted(*read_parameters(request, TenantQuery, decode_cursor=decode_tenant))
    return None if query.cursor is None else decode_tenant(query.cursor), query.limit
