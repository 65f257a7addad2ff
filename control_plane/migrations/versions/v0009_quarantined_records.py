"""Records that Kafka refused for good. Creates a table, and waits for no lock of another one."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE quarantined_records (
        id bigint PRIMARY KEY,
        topic text NOT NULL,
        key text NOT NULL,
        headers jsonb NOT NULL,
        payload bytea NOT NULL,
        committed_at timestamptz NOT NULL,
        quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        reason text NOT NULL
    )
    """,
    "ALTER TABLE quarantined_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "CREATE POLICY relaying ON quarantined_records TO tm_relay USING (true)",
    "GRANT SELECT, INSERT, DELETE ON quarantined_records TO tm_relay",
    # A record that is retried becomes a new row. The policy of `tm_relay` on the outbox admits it; GRANT takes no lock.
    "GRANT INSERT ON outbox TO tm_relay",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
