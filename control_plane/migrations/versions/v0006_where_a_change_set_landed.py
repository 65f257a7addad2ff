"""Which outbox row is a change set's, so that where Kafka put it can be found without another index."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The outbox's rows go first; a change set whose row is gone was published long ago.
_COLUMN = "ALTER TABLE change_sets ADD COLUMN outbox_id bigint"
LINK = """
UPDATE change_sets SET outbox_id = outbox.id
FROM outbox JOIN tenants ON tenants.name = outbox.key
WHERE outbox.topic = 'route-events' AND change_sets.tenant_id = tenants.id
  AND change_sets.committed_at = outbox.created_at
"""
# What serves a tenant's requests sees where its events landed, and neither what is in them nor anybody else's.
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
