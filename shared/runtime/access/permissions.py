"""Who may do what: the one table. Code, documentation and tests read it.

Every handler names its operation (`opt={"operation": "routes.put"}`). One without a row here is refused to everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from shared.runtime.access.principal import Principal
from shared.schemas.access import Role


class TenantScope(Enum):
    """How an operation is bound to the caller's tenant. Admins are bound to none."""

    PATH = auto()
    """The path names the tenant: another one's things are absent."""
    ANSWER = auto()
    """The handler leaves out of its answer what is not the caller's tenant's."""
    PLATFORM = auto()
    """It is about all tenants, or none."""


class Decision(Enum):
    """What becomes of a request."""

    ALLOWED = auto()
    FORBIDDEN = auto()
    ABSENT = auto()
    """To be answered exactly as if there were no such thing."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do one operation."""

    roles: frozenset[Role]
    bound: TenantScope


_PLATFORM = frozenset({Role.ADMIN})
_WRITERS = frozenset({Role.ADMIN, Role.EDITOR})
_READERS = _WRITERS | {Role.VIEWER}
_ALL = frozenset(Role)

PERMISSIONS: Mapping[str, Permission] = MappingProxyType(
    {
        # control plane
        "tenants.create": Permission(_PLATFORM, TenantScope.PATH),
        "tenants.show": Permission(_READERS, TenantScope.PATH),
        "tenants.list": Permission(_PLATFORM, TenantScope.PLATFORM),
        "routes.put": Permission(_WRITERS, TenantScope.PATH),
        "routes.activate": Permission(_WRITERS, TenantScope.PATH),
        "routes.deactivate": Permission(_WRITERS, TenantScope.PATH),
        "routes.show": Permission(_READERS, TenantScope.PATH),
        "routes.list": Permission(_READERS, TenantScope.PATH),
        "routes.replace": Permission(_WRITERS, TenantScope.PATH),
        "changes.apply": Permission(_WRITERS, TenantScope.PATH),
        "changes.revert": Permission(_WRITERS, TenantScope.PATH),
        "changes.list": Permission(_READERS, TenantScope.PATH),
        "changes.show": Permission(_READERS, TenantScope.PATH),
        "changes.compare": Permission(_READERS, TenantScope.PATH),
        "changes.propagation": Permission(_READERS, TenantScope.PATH),
        "keys.create": Permission(_PLATFORM, TenantScope.PATH),
        "keys.list": Permission(_READERS, TenantScope.PATH),
        "keys.rotate": Permission(_PLATFORM, TenantScope.PATH),
        "keys.revoke": Permission(_PLATFORM, TenantScope.PATH),
        "platform-keys.create": Permission(_PLATFORM, TenantScope.PLATFORM),
        "platform-keys.list": Permission(_PLATFORM, TenantScope.PLATFORM),
        "platform-keys.rotate": Permission(_PLATFORM, TenantScope.PLATFORM),
        "platform-keys.revoke": Permission(_PLATFORM, TenantScope.PLATFORM),
        # data plane
        "routes.resolve": Permission(_ALL, TenantScope.PATH),
        "routes.resolve-many": Permission(_ALL, TenantScope.ANSWER),
        "routes.explain": Permission(_ALL, TenantScope.PATH),
        "routes.watch": Permission(_ALL, TenantScope.PATH),
        # audit consumer
        "audit.query": Permission(_READERS, TenantScope.ANSWER),
    }
)


def authorize(principal: Principal, operation: str | None, tenant: str | None) -> Decision:
    """Whether the caller may do the operation, on the tenant that the path names (None: it names none)."""
    permission = PERMISSIONS.get(operation or "")
    if permission is None:
        return Decision.FORBIDDEN
    if permission.bound is TenantScope.PATH and (tenant is None or not principal.may_see(tenant)):
        return Decision.ABSENT
    return Decision.ALLOWED if principal.role in permission.roles else Decision.FORBIDDEN
