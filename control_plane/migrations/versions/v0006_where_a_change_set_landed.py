"""Which outbox row is a change set's, so that where Kafka put it can be found without another index."""

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

# The outbox's rows go first; a change set whose row is gone was published long ago.
COLUMN = "ALTER TABLE change_sets ADD COLUMN outbox_id bigint"
LINK = """
UPDATE change_sets SET outbox_id = outbox.id
FROM outbox JOIN tenants ON tenants.name = outbox.key
WHERE outbox.topic = 'route-events' AND change_sets.tenant_id = tenants.id
  AND change_sets.committed_at = outbox.created_at
"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(LINK)
