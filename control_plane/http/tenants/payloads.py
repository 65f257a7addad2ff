"""The JSON of tenants, and the query parameters of their list."""

from datetime import UTC, datetime

import msgspec

from control_plane.domain.routes import Tenant
from control_plane.http.common.request_fields import PageQuery


class TenantQuery(PageQuery, frozen=True, kw_only=True):
    """The query parameters of the list of tenants."""


class TenantBody(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. `revision`: the number of its committed change sets."""

    tenant: str
    revision: int
    created_at: datetime

    @classmethod
    def of(cls, tenant: Tenant) -> "TenantBody":
        return cls(tenant=tenant.name, revision=tenant.revision, created_at=tenant.created_at)


class TenantPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tenants by name. `next_cursor`: of the next page; null on the last page."""

    tenants: list[TenantBody]
    next_cursor: str | None


EXAMPLE_TENANT = TenantBody(tenant="team-a", revision=42, created_at=datetime(2026, 2, 27, 8, 0, tzinfo=UTC))
EXAMPLE_TENANT_PAGE = TenantPage(tenants=[EXAMPLE_TENANT], next_cursor="dGVhbS1h")
