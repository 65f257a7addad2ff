"""The relay's role may count tenants and routes. Each statement waits for a lock, and holds it for a moment."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "CREATE POLICY counting ON tenants FOR SELECT TO tm_relay USING (true)",
    "CREATE POLICY counting ON endpoints FOR SELECT TO tm_relay USING (true)",
    "GRANT SELECT (id) ON tenants TO tm_relay",
    "GRANT SELECT (is_active) ON endpoints TO tm_relay",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
