"""Who is calling, and what became of a credential that was not accepted."""

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
        """Whether this tenant's things exist for the caller."""
        return self.role is Role.ADMIN or self.tenant == tenant


class Refusal(StrEnum):
    """Why a caller is nobody. The values are outcomes of `tm_auth_total`, but for `unknown`: the keys are not here yet."""

    MISSING = "missing"
    INVALID = "invalid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
