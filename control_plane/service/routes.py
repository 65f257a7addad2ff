"""Reads a tenant's routes."""

from collections.abc import Sequence

from control_plane.domain.routes import Route, RouteFilter, RoutePosition
from control_plane.ports.routes import Routes
from shared.runtime.deadlines import within_deadline
from shared.schemas.identity import RouteKey


class RouteService:
    """One method per use case. Each raises TimeoutError after the deadline, and DependencyUnavailable."""

    def __init__(self, routes: Routes, *, deadline_seconds: float) -> None:
        self._routes = routes
        self.deadline_seconds = deadline_seconds

    @within_deadline
    async def get(self, key: RouteKey) -> Route:
        """The route, active or not. Raises NoSuchRoute, NoSuchTenant."""
        return await self._routes.get(key)

    @within_deadline
    async def page(
        self, tenant: str, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[Route]:
        """A tenant's routes by service, env and version, starting after the given position. Raises NoSuchTenant."""
        return await self._routes.page(tenant, matching, after, limit)
