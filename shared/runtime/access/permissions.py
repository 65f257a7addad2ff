"""The permission table: the roles that may perform each operation. Code, documentation and tests read it.

Every handler names its operation (`opt={"operation": "routes.put"}`). An operation without a row is refused to all callers.
A table rather than decorators on the handlers, so that all permissions can be reviewed on one screen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from shared.runtime.access.principal import Principal
from shared.schemas.access import Role


class TenantScope(Enum):
    """How an operation is limited to the caller's tenant. Admins are not limited."""

    PATH = auto()
    """The path names the tenant; another tenant's resources are reported as absent."""
    ANSWER = auto()
    """The handler leaves other tenants' resources out of its response."""
    PLATFORM = auto()
    """The operation concerns all tenants, or none."""


class Decision(Enum):
    """The result of `authorize`."""

    ALLOWED = auto()
    FORBIDDEN = auto()
    ABSENT = auto()
    """The response must equal that for a resource that does not exist."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The roles that may perform an operation, and its tenant scope."""

    roles: frozenset[Role]
    scope: TenantScope


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
    """Decide whether the caller may perform the operation on the tenant that the path names (None: it names none)."""
    permission = PERMISSIONS.get(operation or "")
    if permission is None:
        return Decision.FORBIDDEN
    if permission.scope is TenantScope.PATH and (tenant is None or not principal.may_see(tenant)):
        return Decision.ABSENT
    return Decision.ALLOWED if principal.role in permission.roles else Decision.FORBIDDEN
