"""The outbox row of each change set, so that its position in Kafka is found without another index."""

from alembic import op

from control_plane.migrations.preparation import Batches, Statements

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Outbox rows are purged before change sets; a change set without its row was published long ago.
_COLUMN = "ALTER TABLE change_sets ADD COLUMN IF NOT EXISTS outbox_id bigint"
LINK = """
UPDATE change_sets SET outbox_id = outbox.id
FROM outbox JOIN tenants ON tenants.name = outbox.key
WHERE outbox.id BETWEEN $1 AND $2 AND outbox.topic = 'route-events' AND change_sets.tenant_id = tenants.id
  AND change_sets.committed_at = outbox.created_at AND change_sets.outbox_id IS NULL
"""
# Row-level security also applies to the owner. Services set a role at once, so that this policy is the migration's alone.
_READ = ("tenants", "change_sets", "outbox")
PREPARATION = (
    Statements((_COLUMN,)),
    *(
        Statements(
            (
                f"DROP POLICY IF EXISTS migrating ON {table}",
                f"CREATE POLICY migrating ON {table} TO CURRENT_USER USING (true)",
            )
        )
        for table in _READ
    ),
    Batches("outbox", (LINK,)),
)
# `tm_control` sees the positions of the tenant's events, but neither their payloads nor other tenants' events.
_LET_TENANTS_SEE = (
    """
    CREATE POLICY landed ON outbox FOR SELECT TO tm_control
    USING (topic = 'route-events' AND key = current_setting('tm.tenant', true))
    """,
    "GRANT SELECT (id, topic, key, sent_at, kafka_partition, kafka_offset) ON outbox TO tm_control",
)


def upgrade() -> None:
    for table in _READ:
        op.execute(f"DROP POLICY migrating ON {table}")
    for statement in _LET_TENANTS_SEE:
        op.execute(statement)
