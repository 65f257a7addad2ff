"""Who may do what: the one table. Code, documentation and tests read it.

Every handler names its operation (`opt={"operation": "routes.put"}`). One without a row here is refused to everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from shared.runtime.access.principal import Principal
from shared.schemas.access import Role


class Bound(Enum):
    """How an operation is bound to the caller's tenant. Admins are bound to none."""

    PATH = auto()
    """The path names the tenant: another one's things are absent."""
    ANSWER = auto()
    """The handler leaves out of its answer what is not the caller's tenant's."""
    PLATFORM = auto()
    """It is about all tenants, or none."""


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = auto()
    FORBIDDEN = auto()
    ABSENT = auto()
    """To be answered exactly as if there were no such thing."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do one operation."""

    roles: frozenset[Role]
    bound: Bound


_PLATFORM = frozenset({Role.ADMIN})
_WRITERS = frozenset({Role.ADMIN, Role.EDITOR})
_READERS = _WRITERS | {Role.VIEWER}
_ALL = frozenset(Role)

PERMISSIONS: Mapping[str, Permission] = MappingProxyType(
    {
        # control plane
        "tenants.create": Permission(_PLATFORM, Bound.PATH),
        "tenants.show": Permission(_READERS, Bound.PATH),
        "tenants.list": Permission(_PLATFORM, Bound.PLATFORM),
        "routes.put": Permission(_WRITERS, Bound.PATH),
        "routes.activate": Permission(_WRITERS, Bound.PATH),
        "routes.deactivate": Permission(_WRITERS, Bound.PATH),
        "routes.show": Permission(_READERS, Bound.PATH),
        "routes.list": Permission(_READERS, Bound.PATH),
        "routes.replace": Permission(_WRITERS, Bound.PATH),
        "changes.apply": Permission(_WRITERS, Bound.PATH),
        "changes.revert": Permission(_WRITERS, Bound.PATH),
        "changes.list": Permission(_READERS, Bound.PATH),
        "changes.show": Permission(_READERS, Bound.PATH),
        "changes.compare": Permission(_READERS, Bound.PATH),
        "changes.propagation": Permission(_READERS, Bound.PATH),
        "keys.create": Permission(_PLATFORM, Bound.PATH),
        "keys.list": Permission(_READERS, Bound.PATH),
        "keys.rotate": Permission(_PLATFORM, Bound.PATH),
        "keys.revoke": Permission(_PLATFORM, Bound.PATH),
        "platform-keys.create": Permission(_PLATFORM, Bound.PLATFORM),
        "platform-keys.list": Permission(_PLATFORM, Bound.PLATFORM),
        "platform-keys.rotate": Permission(_PLATFORM, Bound.PLATFORM),
        "platform-keys.revoke": Permission(_PLATFORM, Bound.PLATFORM),
        # data plane
        "routes.resolve": Permission(_ALL, Bound.PATH),
        "routes.resolve-many": Permission(_ALL, Bound.ANSWER),
        "routes.explain": Permission(_ALL, Bound.PATH),
        "routes.watch": Permission(_ALL, Bound.PATH),
        # audit consumer
        "audit.query": Permission(_READERS, Bound.ANSWER),
    }
)


def judge(principal: Principal, operation: str | None, tenant: str | None) -> Verdict:
    """Whether the caller may do the operation, on the tenant that the path names (None: it names none)."""
    permission = PERMISSIONS.get(operation or "")
    if permission is None:
        return Verdict.FORBIDDEN
    if permission.bound is Bound.PATH and (tenant is None or not principal.may_see(tenant)):
        return Verdict.ABSENT
    return Verdict.ALLOWED if principal.role in permission.roles else Verdict.FORBIDDEN
