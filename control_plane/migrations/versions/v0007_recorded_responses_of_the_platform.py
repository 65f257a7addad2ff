"""Recorded responses without a tenant, for requests about the platform's own access keys."""

from alembic import op

from control_plane.migrations.preparation import ConcurrentIndex

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_UNIQUE = "idempotency_keys_tenant_id_key_key"
PREPARATION = (
    ConcurrentIndex(
        _UNIQUE,
        f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {_UNIQUE} ON idempotency_keys (tenant_id, key) "
        "NULLS NOT DISTINCT",
    ),
)
_STATEMENTS = (
    f"""
    ALTER TABLE idempotency_keys
        DROP CONSTRAINT idempotency_keys_pkey,
        ALTER COLUMN tenant_id DROP NOT NULL,
        ADD CONSTRAINT {_UNIQUE} UNIQUE USING INDEX {_UNIQUE}
    """,
    "CREATE POLICY platform ON idempotency_keys TO tm_platform USING (tenant_id IS NULL)",
    "GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO tm_platform",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
