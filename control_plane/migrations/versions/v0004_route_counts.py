"""The number of a tenant's routes, stored next to its revision, so that the quota needs no count over the routes."""

from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE tenants ADD COLUMN routes bigint NOT NULL DEFAULT 0 CHECK (routes >= 0)"
COUNT = """
UPDATE tenants SET routes = counted.routes
FROM (
    SELECT services.tenant_id, count(*) AS routes
    FROM services
    JOIN environments ON environments.service_id = services.id
    JOIN endpoints ON endpoints.environment_id = environments.id
    GROUP BY services.tenant_id
) AS counted
WHERE counted.tenant_id = tenants.id
"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(COUNT)
