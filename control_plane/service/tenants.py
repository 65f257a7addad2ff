"""Creates and reads tenants."""

from collections.abc import Sequence

from control_plane.domain.routes import Tenant
from control_plane.ports.routes import Tenants
from shared.runtime.deadlines import within_deadline


class TenantService:
    """One method per use case. Each raises TimeoutError after the deadline, and DependencyUnavailable."""

    def __init__(self, tenants: Tenants, *, deadline_seconds: float) -> None:
        self._tenants = tenants
        self.deadline_seconds = deadline_seconds

    @within_deadline
    async def create(self, name: str) -> tuple[Tenant, bool]:
        """The tenant, created if it did not exist; the flag says whether this call created it."""
        return await self._tenants.create(name)

    @within_deadline
    async def get(self, name: str) -> Tenant:
        """Raises NoSuchTenant."""
        return await self._tenants.get(name)

    @within_deadline
    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        """Tenants by name, starting after the given one."""
        return await self._tenants.page(after, limit)
