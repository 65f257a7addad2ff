"""Measures the installation: how many tenants and routes there are, and whether the schema is the required one."""

from collections.abc import Callable

from control_plane.ports.installation import Installation
from shared.runtime.metrics import Metrics

SAMPLE_SECONDS = 30.0
"""Pause between two samples."""


class InstallationMonitor:
    """Counts tenants and routes in the process of the leading relay only: counting a million rows is not free."""

    def __init__(self, installation: Installation, *, is_leading: Callable[[], bool], metrics: Metrics) -> None:
        self._installation = installation
        self._is_leading = is_leading
        self._tenants = metrics.gauge("tm_tenants")
        routes = metrics.gauge("tm_routes")
        self._active, self._inactive = routes.labels("active"), routes.labels("inactive")
        self._schema_current = metrics.gauge("tm_schema_current")

    async def sample(self) -> None:
        """Measure once. Raises DependencyUnavailable."""
        self._schema_current.set(await self._installation.has_required_schema())
        if not self._is_leading():
            self._show(0, 0, 0)
            return
        size = await self._installation.size()
        self._show(size.tenants, size.active_routes, size.inactive_routes)

    def _show(self, tenants: int, active: int, inactive: int) -> None:
        self._tenants.set(tenants)
        self._active.set(active)
        self._inactive.set(inactive)
