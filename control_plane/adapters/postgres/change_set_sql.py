"""The statements of a change set's transaction, in their order."""

LOCK = "SELECT id, revision, routes FROM tenants WHERE name = $1 FOR UPDATE"

# A statement of its own, because one that waits for a lock sees the other tables as they were before the wait. The
# clock is read after the lock, so that it goes on with the revisions.
CURRENT = """
SELECT clock_timestamp() AS now,
       endpoints.url, endpoints.is_active, endpoints.revision, endpoints.created_at, endpoints.updated_at
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS wanted (service, env, version, place)
LEFT JOIN services ON services.tenant_id = $1 AND services.name = wanted.service
LEFT JOIN environments ON environments.service_id = services.id AND environments.name = wanted.env
LEFT JOIN endpoints ON endpoints.environment_id = environments.id AND endpoints.version = wanted.version
ORDER BY wanted.place
"""

# All that stands within a desired set's scope.
IN_SCOPE = """
SELECT services.name AS service, environments.name AS env, endpoints.version,
       endpoints.url, endpoints.is_active, endpoints.revision, endpoints.created_at, endpoints.updated_at
FROM services
JOIN environments ON environments.service_id = services.id
JOIN endpoints ON endpoints.environment_id = environments.id
WHERE services.tenant_id = $1
  AND ($2::text IS NULL OR services.name = $2)
  AND ($3::text IS NULL OR environments.name = $3)
"""
ACTIVE = """
SELECT clock_timestamp() AS now, count(*) AS active
FROM services
JOIN environments ON environments.service_id = services.id
JOIN endpoints ON endpoints.environment_id = environments.id
WHERE services.tenant_id = $1 AND endpoints.is_active
"""

# The tenant is locked: what is missing cannot appear meanwhile, and each `UNION ALL` joins what was there before the
# statement with what it adds.
WRITE = """
WITH changed AS (
    SELECT * FROM unnest(
        $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $16::text[], $17::text[], $18::text[]
    ) WITH ORDINALITY AS changed (
        service, env, version, url, is_active, action, previous_url, previous_state, place
    )
), tenant AS (
    UPDATE tenants SET revision = $2, routes = routes + $19 WHERE id = $1
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
    INSERT INTO endpoints (tenant_id, environment_id, version, url, is_active, revision, created_at, updated_at)
    SELECT $1::bigint, all_environments.id, changed.version, changed.url, changed.is_active, $2, $8, $8
    FROM changed
    JOIN places USING (service, env)
    JOIN all_environments ON all_environments.service_id = places.service_id AND all_environments.name = changed.env
    ON CONFLICT (environment_id, version) DO UPDATE SET
        url = excluded.url, is_active = excluded.is_active,
        revision = excluded.revision, updated_at = excluded.updated_at
), event AS (
    INSERT INTO outbox (topic, key, headers, payload, created_at) VALUES ($12, $13, $14, $15, $8) RETURNING id
), logged AS (
    INSERT INTO change_sets (tenant_id, revision, changed_by, reason, correlation_id, committed_at, size, outbox_id)
    SELECT $1, $2, $9, $10, $11, $8, (SELECT count(*) FROM changed), id FROM event
)
INSERT INTO changes (
    tenant_id, revision, position, service, env, version, action, url, is_active, previous_url, previous_state
)
SELECT $1, $2, place - 1, service, env, version, action, url, is_active, previous_url, previous_state FROM changed
"""
