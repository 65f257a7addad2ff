"""Tables for tenants, their routes and change sets, and for the outbox of events."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Names sort by byte ("C"), so that keyset pages do not depend on the server's locale or its library's version.
_STATEMENTS = (
    """
    CREATE TABLE tenants (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    """
    CREATE TABLE services (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id bigint NOT NULL REFERENCES tenants,
        name text COLLATE "C" NOT NULL,
        UNIQUE (tenant_id, name)
    )
    """,
    """
    CREATE TABLE environments (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        service_id bigint NOT NULL REFERENCES services,
        name text COLLATE "C" NOT NULL,
        UNIQUE (service_id, name)
    )
    """,
    """
    CREATE TABLE endpoints (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        environment_id bigint NOT NULL REFERENCES environments,
        version text COLLATE "C" NOT NULL,
        url text NOT NULL,
        is_active boolean NOT NULL,
        revision bigint NOT NULL CHECK (revision >= 1),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        UNIQUE (environment_id, version)
    )
    """,
    """
    CREATE TABLE change_sets (
        tenant_id bigint NOT NULL REFERENCES tenants,
        revision bigint NOT NULL CHECK (revision >= 1),
        changed_by text NOT NULL,
        reason text,
        correlation_id text NOT NULL,
        committed_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, revision)
    )
    """,
    # A queue: every row is updated once, and the relay's index is read from its oldest end, where dead tuples collect.
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        key text NOT NULL,
        headers jsonb NOT NULL,
        payload bytea NOT NULL,
        created_at timestamptz NOT NULL,
        sent_at timestamptz,
        kafka_partition integer,
        kafka_offset bigint
    ) WITH (autovacuum_vacuum_scale_factor = 0.02)
    """,
    "CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL",
    """
    CREATE TABLE relay_heartbeat (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        as_of timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
