"""The generation of the topic of access keys, and when each key was last used. Waits for no request: both are additions."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE access_key_topic (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        generation bigint NOT NULL DEFAULT 0,
        is_requested boolean NOT NULL DEFAULT false
    )
    """,
    "GRANT SELECT, INSERT, UPDATE ON access_key_topic TO tm_platform",
    "ALTER TABLE access_keys ADD COLUMN last_used_at timestamptz",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
