"""The caller of a request, and the reasons to refuse a credential."""

from dataclasses import dataclass
from enum import StrEnum

from shared.schemas.access import Role


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `tenant` is None for admins only; `credential` names the key, or the token's subject."""

    subject: str
    role: Role
    tenant: str | None
    credential: str

    def may_see(self, tenant: str) -> bool:
        """Whether this tenant's resources are visible to the caller."""
        return self.role is Role.ADMIN or self.tenant == tenant


class Refusal(StrEnum):
    """Why a request has no caller. The values are outcomes of `tm_auth_total`, except `unknown`: keys are not loaded yet."""

    MISSING = "missing"
    INVALID = "invalid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
