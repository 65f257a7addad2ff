"""Access keys, and row-level security by tenant.

Four roles without login own nothing. A process connects with a login that is a member of them, and sets one at once:

- `tm_control` serves a tenant's requests. It sees the rows of the tenant in the transaction's `tm.tenant`, else none.
- `tm_platform` serves requests about all tenants: it lists tenants, and sees every access key.
- `tm_relay` publishes the events of all tenants from the outbox, and purges old history.
- `tm_reader` resolves routes of all tenants: it reads routes, and cannot see keys, change sets or events.

Row-level security is forced, so that it also applies to the tables' owner, unless that is a superuser. A later migration
that changes rows of these tables needs a policy of its own meanwhile, as 0006 has.
"""

from alembic import op

from control_plane.migrations.preparation import Batches, ConcurrentIndex, Statements, absent

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ROLES = ("tm_control", "tm_platform", "tm_relay", "tm_reader")

# Roles belong to the whole server: a migration of another database may have created them, or create them concurrently.
_CREATE_ROLE = """
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""
_LET_MIGRATOR_BECOME = """
DO $$ BEGIN
    IF NOT pg_has_role(current_user, '{role}', 'SET') THEN
        EXECUTE format('GRANT {role} TO %I WITH SET TRUE', current_user);
    END IF;
END $$
"""
# A standby's replay position is in a view with restricted access; without it, replicas only seem to lag more.
_LET_READER_SEE_REPLICATION = """
DO $$ BEGIN
    IF NOT pg_has_role('tm_reader', 'pg_read_all_stats', 'USAGE') THEN
        GRANT pg_read_all_stats TO tm_reader;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN RAISE WARNING 'let a superuser GRANT pg_read_all_stats TO tm_reader';
    WHEN unique_violation THEN NULL;
END $$
"""

_ACCESS_KEYS = (
    """
    CREATE TABLE access_keys (
        id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{12}$'),
        tenant_id bigint REFERENCES tenants,
        version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
        subject text NOT NULL,
        role text NOT NULL CHECK (role IN ('admin', 'editor', 'viewer', 'resolver')),
        sha256 text NOT NULL,
        older_sha256 text,
        older_until timestamptz,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz,
        rotated_at timestamptz,
        revoked_at timestamptz,
        changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CHECK ((role = 'admin') = (tenant_id IS NULL))
    )
    """,
    "CREATE INDEX access_keys_by_tenant ON access_keys (tenant_id, id)",
    "CREATE INDEX access_keys_by_change ON access_keys (changed_at)",
    # The record of a revoked key has no value.
    "ALTER TABLE outbox ALTER COLUMN payload DROP NOT NULL",
)

# Every row of a tenant has its id: a policy that read parent rows would not see those that the same statement adds.
_CURRENT_TENANT = """
CREATE FUNCTION current_tenant_id() RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT id FROM tenants WHERE name = current_setting('tm.tenant', true))
"""
_FILL_ENVIRONMENTS = Batches(
    "environments",
    (
        """
        UPDATE environments SET tenant_id = services.tenant_id FROM services
        WHERE services.id = service_id AND environments.tenant_id IS NULL AND environments.id BETWEEN $1 AND $2
        """,
    ),
)
_FILL_ENDPOINTS = Batches(
    "endpoints",
    (
        """
        UPDATE endpoints SET tenant_id = environments.tenant_id FROM environments
        WHERE environments.id = environment_id AND endpoints.tenant_id IS NULL AND endpoints.id BETWEEN $1 AND $2
        """,
    ),
)


def _unique(table: str) -> ConcurrentIndex:
    name = f"{table}_tenant_id_id_key"
    return ConcurrentIndex(name, f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} (tenant_id, id)")


def _use_unique(table: str) -> str:
    name = f"{table}_tenant_id_id_key"
    return f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"


def _parent(table: str, column: str, parent: str) -> tuple[Statements, ...]:
    """The foreign key of (tenant_id, column), and a check that every row has its tenant; both without a long lock."""
    foreign_key, check = f"{table}_tenant_id_{column}_fkey", f"{table}_has_tenant"
    return (
        Statements(
            (
                absent(foreign_key, table),
                f"ALTER TABLE {table} ADD CONSTRAINT {foreign_key} FOREIGN KEY (tenant_id, {column}) "
                f"REFERENCES {parent} (tenant_id, id) NOT VALID",
            )
        ),
        Statements((f"ALTER TABLE {table} VALIDATE CONSTRAINT {foreign_key}",)),
        Statements(
            (
                absent(check, table),
                f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (tenant_id IS NOT NULL) NOT VALID",
            )
        ),
    )


PREPARATION = (
    _unique("services"),
    Statements(("ALTER TABLE environments ADD COLUMN IF NOT EXISTS tenant_id bigint",)),
    Statements(("ALTER TABLE endpoints ADD COLUMN IF NOT EXISTS tenant_id bigint",)),
    _FILL_ENVIRONMENTS,
    _FILL_ENDPOINTS,
    _unique("environments"),
    *_parent("environments", "service_id", "services"),
    *_parent("endpoints", "environment_id", "environments"),
    # Rows that were added between the first pass and the checks.
    _FILL_ENVIRONMENTS,
    _FILL_ENDPOINTS,
    Statements(("ALTER TABLE environments VALIDATE CONSTRAINT environments_has_tenant",)),
    Statements(("ALTER TABLE endpoints VALIDATE CONSTRAINT endpoints_has_tenant",)),
)
# A validated check spares SET NOT NULL the scan.
_TENANT_IN_EVERY_ROW = (
    _CURRENT_TENANT,
    *(f"ALTER TABLE {table} ALTER COLUMN tenant_id SET NOT NULL" for table in ("environments", "endpoints")),
    *(f"ALTER TABLE {table} DROP CONSTRAINT {table}_has_tenant" for table in ("environments", "endpoints")),
    *(_use_unique(table) for table in ("services", "environments")),
)

_TENANTS_TABLES = (
    "services",
    "environments",
    "endpoints",
    "change_sets",
    "changes",
    "idempotency_keys",
    "access_keys",
)
_PURGED = ("change_sets", "changes", "idempotency_keys")
_THEIRS = "tenant_id = (SELECT current_tenant_id())"

_POLICIES = (
    "CREATE POLICY own ON tenants TO tm_control USING (name = current_setting('tm.tenant', true))",
    *(f"CREATE POLICY own ON {table} TO tm_control USING ({_THEIRS})" for table in _TENANTS_TABLES),
    """
    CREATE POLICY own ON outbox FOR INSERT TO tm_control WITH CHECK (
        (topic = 'route-events' AND key = current_setting('tm.tenant', true))
        OR (topic = 'access-keys' AND EXISTS (SELECT FROM access_keys WHERE id = key))
    )
    """,
    "CREATE POLICY listing ON tenants FOR SELECT TO tm_platform USING (true)",
    "CREATE POLICY keys ON access_keys TO tm_platform USING (true)",
    "CREATE POLICY keys ON outbox FOR INSERT TO tm_platform WITH CHECK (topic = 'access-keys')",
    *(f"CREATE POLICY relaying ON {table} TO tm_relay USING (true)" for table in ("outbox", *_PURGED)),
    *(
        f"CREATE POLICY resolving ON {table} FOR SELECT TO tm_reader USING (true)"
        for table in ("tenants", "services", "environments", "endpoints")
    ),
)

_GRANTS = (
    "GRANT SELECT, INSERT, UPDATE ON tenants, services, environments, endpoints, access_keys TO tm_control",
    "GRANT SELECT, INSERT ON change_sets, changes TO tm_control",
    "GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO tm_control",
    "GRANT INSERT ON outbox TO tm_control",
    "GRANT SELECT ON tenants TO tm_platform",
    "GRANT SELECT, INSERT, UPDATE ON access_keys TO tm_platform",
    "GRANT INSERT ON outbox TO tm_platform",
    "GRANT SELECT, UPDATE, DELETE ON outbox TO tm_relay",
    f"GRANT SELECT, DELETE ON {', '.join(_PURGED)} TO tm_relay",
    "GRANT SELECT, INSERT, UPDATE ON relay_heartbeat TO tm_relay",
    "GRANT SELECT ON tenants, services, environments, endpoints, relay_heartbeat TO tm_reader",
)


def upgrade() -> None:
    for role in _ROLES:
        op.execute(_CREATE_ROLE.format(role=role))
        op.execute(_LET_MIGRATOR_BECOME.format(role=role))
    op.execute(_LET_READER_SEE_REPLICATION)
    for statement in (*_ACCESS_KEYS, *_TENANT_IN_EVERY_ROW):
        op.execute(statement)
    for table in ("tenants", *_TENANTS_TABLES, "outbox"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    for statement in (*_POLICIES, *_GRANTS):
        op.execute(statement)
