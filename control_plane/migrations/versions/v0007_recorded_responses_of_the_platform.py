"""Recorded responses without a tenant, for requests about the platform's own access keys."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE idempotency_keys
        DROP CONSTRAINT idempotency_keys_pkey,
        ALTER COLUMN tenant_id DROP NOT NULL,
        ADD UNIQUE NULLS NOT DISTINCT (tenant_id, key)
    """,
    "CREATE POLICY platform ON idempotency_keys TO tm_platform USING (tenant_id IS NULL)",
    "GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO tm_platform",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
