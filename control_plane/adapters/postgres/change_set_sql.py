"""The statements of a change set's transaction, in the order in which it runs them."""

# ruff: noqa: S608 - the statements are built from constants only

from control_plane.adapters.postgres.route_columns import CHANGE, CHANGES, ROUTES, VALUE, listed

LOCK = "SELECT id, revision, routes FROM tenants WHERE name = $1 FOR UPDATE"

# A statement of its own, because a statement that waits for a lock sees the other tables as they were before the wait.
# The clock is read after the lock is held, so that a later revision never has an earlier time.
CURRENT = f"""
SELECT clock_timestamp() AS now, {ROUTES}
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS wanted (service, env, version, place)
LEFT JOIN services ON services.tenant_id = $1 AND services.name = wanted.service
LEFT JOIN environments ON environments.service_id = services.id AND environments.name = wanted.env
LEFT JOIN endpoints ON endpoints.environment_id = environments.id AND endpoints.version = wanted.version
ORDER BY wanted.place
"""

# All routes within a desired set's scope.
IN_SCOPE = f"""
SELECT services.name AS service, environments.name AS env, endpoints.version, {ROUTES}
FROM services
JOIN environments ON environments.service_id = services.id
JOIN endpoints ON endpoints.environment_id = environments.id
WHERE services.tenant_id = $1
  AND ($2::text IS NULL OR services.name = $2)
  AND ($3::text IS NULL OR environments.name = $3)
"""
COUNT_ACTIVE = """
SELECT clock_timestamp() AS now, count(*) AS active
FROM services
JOIN environments ON environments.service_id = services.id
JOIN endpoints ON endpoints.environment_id = environments.id
WHERE services.tenant_id = $1 AND endpoints.is_active
"""

_FIRST_ARRAY = 12
_ARRAYS = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(CHANGE.values(), start=_FIRST_ARRAY))
_NEW_VALUE = ", ".join(f"{column} = excluded.{column}" for column in VALUE)

# The tenant is locked: no other transaction can add a missing row meanwhile, and each `UNION ALL` joins the rows from
# before the statement with the rows that it adds. The last parameters are one array for each column of a change.
WRITE = f"""
WITH changed AS (
    SELECT * FROM unnest({_ARRAYS}) WITH ORDINALITY AS changed ({CHANGES}, place)
), tenant AS (
    UPDATE tenants SET revision = $2, routes = routes + $11 WHERE id = $1
), old_services AS (
    SELECT id, name FROM services WHERE tenant_id = $1 AND name IN (SELECT service FROM changed)
), new_services AS (
    INSERT INTO services (tenant_id, name)
    SELECT DISTINCT $1::bigint, service FROM changed WHERE service NOT IN (SELECT name FROM old_services)
    RETURNING id, name
), all_services AS (
    SELECT * FROM old_services UNION ALL SELECT * FROM new_services
), places AS (
    SELECT DISTINCT all_services.id AS service_id, changed.service, changed.env
    FROM changed JOIN all_services ON all_services.name = changed.service
), old_environments AS (
    SELECT environments.id, environments.service_id, environments.name
    FROM places JOIN environments ON environments.service_id = places.service_id AND environments.name = places.env
), new_environments AS (
    INSERT INTO environments (tenant_id, service_id, name)
    SELECT $1::bigint, service_id, env FROM places
    WHERE (service_id, env) NOT IN (SELECT service_id, name FROM old_environments)
    RETURNING id, service_id, name
), all_environments AS (
    SELECT * FROM old_environments UNION ALL SELECT * FROM new_environments
), stored AS (
    INSERT INTO endpoints (tenant_id, environment_id, version, {listed(VALUE)}, revision, created_at, updated_at)
    SELECT $1::bigint, all_environments.id, changed.version, {listed(VALUE, of="changed")}, $2, $3, $3
    FROM changed
    JOIN places USING (service, env)
    JOIN all_environments ON all_environments.service_id = places.service_id AND all_environments.name = changed.env
    ON CONFLICT (environment_id, version) DO UPDATE SET
        {_NEW_VALUE}, revision = excluded.revision, updated_at = excluded.updated_at
), event AS (
    INSERT INTO outbox (topic, key, headers, payload, created_at) VALUES ($7, $8, $9, $10, $3) RETURNING id
), logged AS (
    INSERT INTO change_sets (tenant_id, revision, changed_by, reason, correlation_id, committed_at, size, outbox_id)
    SELECT $1, $2, $4, $5, $6, $3, (SELECT count(*) FROM changed), id FROM event
)
INSERT INTO changes (tenant_id, revision, position, {CHANGES})
SELECT $1, $2, place - 1, {CHANGES} FROM changed
"""
