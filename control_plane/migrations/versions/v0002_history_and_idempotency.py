"""One row for each change of a change set, and the recorded responses to requests with an idempotency key."""

from alembic import op

from control_plane.migrations.preparation import ConcurrentIndex

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PREPARATION = (
    ConcurrentIndex(
        "change_sets_by_time",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS change_sets_by_time ON change_sets (committed_at)",
    ),
)

# `size` is 0 for older change sets: their changes were never stored, so that the history begins after them.
# `changes` has no foreign key: its rows are written and purged in the statements that write and purge their change set,
# so that a check for every row would add only cost.
_STATEMENTS = (
    "ALTER TABLE change_sets ADD COLUMN size integer NOT NULL DEFAULT 0",
    """
    CREATE TABLE changes (
        tenant_id bigint NOT NULL,
        revision bigint NOT NULL,
        position integer NOT NULL,
        service text COLLATE "C" NOT NULL,
        env text COLLATE "C" NOT NULL,
        version text COLLATE "C" NOT NULL,
        action text NOT NULL CHECK (action IN ('created', 'updated', 'activated', 'deactivated')),
        url text NOT NULL,
        is_active boolean NOT NULL,
        previous_url text,
        previous_state text CHECK (previous_state IN ('active', 'inactive')),
        PRIMARY KEY (tenant_id, revision, position)
    )
    """,
    """
    CREATE TABLE idempotency_keys (
        tenant_id bigint NOT NULL REFERENCES tenants,
        key text COLLATE "C" NOT NULL,
        fingerprint bytea NOT NULL,
        status smallint NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, key)
    )
    """,
    "CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
