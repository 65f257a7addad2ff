"""The outbox row of each change set, so that its position in Kafka is found without another index."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Outbox rows are purged before change sets; a change set without its row was published long ago.
_COLUMN = "ALTER TABLE change_sets ADD COLUMN outbox_id bigint"
LINK = """
UPDATE change_sets SET outbox_id = outbox.id
FROM outbox JOIN tenants ON tenants.name = outbox.key
WHERE outbox.topic = 'route-events' AND change_sets.tenant_id = tenants.id
  AND change_sets.committed_at = outbox.created_at
"""
# `tm_control` sees the positions of the tenant's events, but neither their payloads nor other tenants' events.
_LET_TENANTS_SEE = (
    """
    CREATE POLICY landed ON outbox FOR SELECT TO tm_control
    USING (topic = 'route-events' AND key = current_setting('tm.tenant', true))
    """,
    "GRANT SELECT (id, topic, key, sent_at, kafka_partition, kafka_offset) ON outbox TO tm_control",
)
_FORCED = ("tenants", "change_sets", "outbox")


def upgrade() -> None:
    op.execute(_COLUMN)
    for table in _FORCED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(LINK)
    for table in _FORCED:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for statement in _LET_TENANTS_SEE:
        op.execute(statement)
