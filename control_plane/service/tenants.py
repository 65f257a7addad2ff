"""What can be done with tenants."""

import asyncio
from collections.abc import Sequence

from control_plane.domain.routes import Tenant
from control_plane.ports.routes import Tenants


class TenantService:
    """One method per use case, each within the deadline: TimeoutError after it. All raise DependencyUnavailable."""

    def __init__(self, tenants: Tenants, *, deadline_seconds: float) -> None:
        self._tenants = tenants
        self._deadline = deadline_seconds

    async def create(self, name: str) -> tuple[Tenant, bool]:
        """The tenant, made if there was none; the flag says whether it was made."""
        async with asyncio.timeout(self._deadline):
            return await self._tenants.create(name)

    async def get(self, name: str) -> Tenant:
        """Raises NoSuchTenant."""
        async with asyncio.timeout(self._deadline):
            return await self._tenants.get(name)

    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        """Tenants by name, those after the given one."""
        async with asyncio.timeout(self._deadline):
            return await self._tenants.page(after, limit)
