"""The JSON that the control API takes and gives."""

from datetime import datetime
from typing import Annotated

import msgspec

from control_plane.domain.routes import Route, Tenant
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA

Reason = Annotated[
    str,
    msgspec.Meta(
        max_length=500,
        description="Why, for the audit trail; no NUL characters.",
        examples=["release 42"],
    ),
]


class PutRoute(msgspec.Struct, frozen=True, kw_only=True):
    """What a route is to be."""

    url: Annotated[
        str,
        msgspec.Meta(
            description="Absolute URL, at most 2,048 characters; an internationalised host is stored as ASCII (IDNA).",
            examples=["https://payments-v2.prod.example.com/api"],
        ),
    ]
    is_active: Annotated[bool, msgspec.Meta(description="Whether the route is resolved.")] = True
    reason: Reason | None = None


class ChangeReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a route is activated or deactivated."""

    reason: Reason | None = None


class Nothing(msgspec.Struct, frozen=True):
    """An object without fields."""


class RouteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A route as it stands. `revision` is the tenant's that last changed it."""

    tenant: str
    service: str
    env: str
    version: str
    url: str
    is_active: bool
    revision: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, route: Route) -> "RouteBody":
        key = route.key
        return cls(
            tenant=key.tenant,
            service=key.service,
            env=key.env,
            version=key.version,
            url=route.value.url,
            is_active=route.value.is_active,
            revision=route.revision,
            created_at=route.created_at,
            updated_at=route.updated_at,
        )


class RoutePage(msgspec.Struct, frozen=True, kw_only=True):
    """Routes by service, env and version. `next_cursor` asks for those that follow; null when there are none."""

    routes: list[RouteBody]
    next_cursor: str | None


class TenantBody(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. `revision` counts its committed change sets."""

    tenant: str
    revision: int
    created_at: datetime

    @classmethod
    def of(cls, tenant: Tenant) -> "TenantBody":
        return cls(tenant=tenant.name, revision=tenant.revision, created_at=tenant.created_at)


class TenantPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tenants by name. `next_cursor` asks for those that follow; null when there are none."""

    tenants: list[TenantBody]
    next_cursor: str | None


Limit = Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many to answer with at most.")]
Cursor = Annotated[str, msgspec.Meta(description="`next_cursor` of the page before.")]
_Service = Annotated[str, msgspec.Meta(description="Only this service's routes.", extra_json_schema=NAME_SCHEMA)]
_Env = Annotated[str, msgspec.Meta(description="Only this environment's routes.", extra_json_schema=NAME_SCHEMA)]
_Version = Annotated[str, msgspec.Meta(description="Only this version's routes.", extra_json_schema=VERSION_SCHEMA)]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: Limit = 100
    cursor: Cursor | None = None


class TenantQuery(PageQuery, frozen=True, kw_only=True):
    """Which tenants to list."""


class ScopeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a tenant that a desired set speaks for; everything outside stays as it is."""

    service: _Service | None = None
    env: _Env | None = None


class KeyQuery(PageQuery, frozen=True, kw_only=True):
    """Which access keys to list."""


class RouteQuery(PageQuery, frozen=True, kw_only=True):
    """Which routes to list."""

    service: _Service | None = None
    env: _Env | None = None
    version: _Version | None = None
    active: Annotated[bool, msgspec.Meta(description="Only active ones, or only inactive ones.")] | None = None
    at_revision: (
        Annotated[int, msgspec.Meta(ge=0, description="The routes as they were at this revision of the tenant.")] | None
    ) = None
