"""Port of the database as a whole."""

from typing import Protocol

from control_plane.domain.installation import InstallationSize


class Installation(Protocol):
    """What all tenants have together. Every method raises DependencyUnavailable."""

    async def size(self) -> InstallationSize:
        """The numbers of tenants and routes, all counted."""
        ...

    async def has_required_schema(self) -> bool:
        """Whether the schema is the one that this release needs, or a newer one."""
        ...
