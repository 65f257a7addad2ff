"""The size of the whole installation, and whether its schema is the one that this release needs."""

from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.schema_revision import REQUIRED_REVISION
from control_plane.domain.installation import InstallationSize

_SIZE = """
SELECT (SELECT count(*) FROM tenants) AS tenants,
       count(*) FILTER (WHERE is_active) AS active,
       count(*) FILTER (WHERE NOT is_active) AS inactive
FROM endpoints
"""


class PostgresInstallation:
    """The Installation port. The relay's role may count all tenants' rows, and read nothing of them."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    async def size(self) -> InstallationSize:
        async with self._primary.platform("tm_relay", reads=True) as connection:
            row = await connection.fetchrow(_SIZE)
        assert row is not None  # noqa: S101 - an aggregate has one row
        return InstallationSize(row["tenants"], row["active"], row["inactive"])

    async def has_required_schema(self) -> bool:
        async with self._primary.connection(reads=True) as connection:
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision is not None and revision >= REQUIRED_REVISION
