"""The installation, counted from the registry in memory."""

from control_plane.domain.installation import InstallationSize
from tests.fakes.control_plane_registry import FakeRegistry


class FakeInstallation:
    """The Installation port. `has_schema`: whether the schema is the required one."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry
        self.has_schema = True
        self.counted = 0

    async def size(self) -> InstallationSize:
        self.counted += 1
        active = sum(each.value.is_active for each in self._registry.routes.values())
        return InstallationSize(len(self._registry.tenants), active, len(self._registry.routes) - active)

    async def has_required_schema(self) -> bool:
        return self.has_schema
