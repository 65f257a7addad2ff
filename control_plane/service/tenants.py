"""Creates and reads tenants."""

import asyncio
from collections.abc import Sequence

from control_plane.domain.routes import Tenant
from control_plane.ports.routes import Tenants


class TenantService:
    """One method per use case. Each raises TimeoutError after the deadline, and DependencyUnavailable."""

    def __init__(self, tenants: Tenants, *, deadline_seconds: float) -> None:
        self._tenants = tenants
        self._deadline_seconds = deadline_seconds

    async def create(self, name: str) -> tuple[Tenant, bool]:
        """The tenant, created if it did not exist; the flag says whether this call created it."""
        async with asyncio.timeout(self._deadline_seconds):
            return await self._tenants.create(name)

    async def get(self, name: str) -> Tenant:
        """Raises NoSuchTenant."""
        async with asyncio.timeout(self._deadline_seconds):
            return await self._tenants.get(name)

    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        """Tenants by name, starting after the given one."""
        async with asyncio.timeout(self._deadline_seconds):
            return await self._tenants.page(after, limit)
