"""The number of a tenant's routes, stored next to its revision, so that the quota needs no count over the routes."""

from control_plane.migrations.preparation import Batches, Statements, absent

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

# Writes of every release lock their tenant's row first: the count is of a snapshot taken after the lock.
_LOCK = "SELECT id FROM tenants WHERE id BETWEEN $1 AND $2 ORDER BY id FOR UPDATE"
COUNT = """
UPDATE tenants SET routes = (
    SELECT count(*)
    FROM services
    JOIN environments ON environments.service_id = services.id
    JOIN endpoints ON endpoints.environment_id = environments.id
    WHERE services.tenant_id = tenants.id
)
WHERE id BETWEEN $1 AND $2
"""
PREPARATION = (
    Statements(
        (
            "ALTER TABLE tenants ADD COLUMN IF NOT EXISTS routes bigint NOT NULL DEFAULT 0",
            absent("tenants_routes_check", "tenants"),
            "ALTER TABLE tenants ADD CONSTRAINT tenants_routes_check CHECK (routes >= 0) NOT VALID",
        )
    ),
    Statements(("ALTER TABLE tenants VALIDATE CONSTRAINT tenants_routes_check",)),
    Batches("tenants", (_LOCK, COUNT), rows=10),
)


def upgrade() -> None:
    """The preparation is all."""
