"""The bytes of recorded responses, by owner (a tenant, or null for the platform) and hour."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE recorded_bytes (
        tenant_id bigint REFERENCES tenants,
        hour timestamptz NOT NULL,
        bytes bigint NOT NULL,
        UNIQUE NULLS NOT DISTINCT (tenant_id, hour)
    )
    """,
    "ALTER TABLE recorded_bytes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "CREATE POLICY own ON recorded_bytes TO tm_control USING (tenant_id = (SELECT current_tenant_id()))",
    "CREATE POLICY platform ON recorded_bytes TO tm_platform USING (tenant_id IS NULL)",
    "CREATE POLICY relaying ON recorded_bytes TO tm_relay USING (true)",
    "GRANT SELECT, INSERT, UPDATE ON recorded_bytes TO tm_control, tm_platform",
    "GRANT SELECT, DELETE ON recorded_bytes TO tm_relay",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
