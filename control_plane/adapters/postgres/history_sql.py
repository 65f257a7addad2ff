"""The statements that read a tenant's history. `$1` is the tenant's id."""

# ruff: noqa: S608 - the statements are built from constants only

from control_plane.adapters.postgres.route_columns import CHANGES, PREVIOUS, PREVIOUS_AS_VALUE, VALUE, listed

TENANT = "SELECT id, revision, routes FROM tenants WHERE name = $1"

# Change sets from before release 2 of the schema have the size 0: their changes were not stored.
OLDEST = "SELECT min(revision) FROM change_sets WHERE tenant_id = $1 AND size > 0"

CHANGES_OF = f"""
SELECT {CHANGES}
FROM changes WHERE tenant_id = $1 AND revision = $2 ORDER BY position
"""

# The first change after a revision holds the route's value at that revision.
FIRST_CHANGES_AFTER = f"""
SELECT DISTINCT ON (service, env, version) {CHANGES}
FROM changes WHERE tenant_id = $1 AND revision > $2 ORDER BY service, env, version, revision
"""

_SUMMARY = "revision, changed_by, reason, correlation_id, committed_at, size"
SUMMARY = f"SELECT {_SUMMARY} FROM change_sets WHERE tenant_id = $1 AND revision = $2"
PAGE = f"""
SELECT {_SUMMARY} FROM change_sets
WHERE tenant_id = $1 AND size > 0
  AND ($2::text IS NULL OR changed_by = $2)
  AND ($3::timestamptz IS NULL OR committed_at >= $3)
  AND ($4::bigint IS NULL OR revision < $4)
ORDER BY revision DESC LIMIT $5
"""

# Of each route that changed between the two revisions, the value before the first change and after the last one, unless
# both are the same.
DIFF = f"""
WITH between_them AS (
    SELECT * FROM changes WHERE tenant_id = $1 AND revision > $2 AND revision <= $3
), before AS (
    SELECT DISTINCT ON (service, env, version) service, env, version, {listed(PREVIOUS)}
    FROM between_them ORDER BY service, env, version, revision
), after AS (
    SELECT DISTINCT ON (service, env, version) service, env, version, {listed(VALUE)}
    FROM between_them ORDER BY service, env, version, revision DESC
)
SELECT service, env, version, {listed(PREVIOUS)}, {listed(VALUE)}
FROM before JOIN after USING (service, env, version)
WHERE ({listed(PREVIOUS_AS_VALUE.values())}) IS DISTINCT FROM ({listed(VALUE)})
  AND ($4::text IS NULL OR (service, env, version) > ($4, $5, $6))
ORDER BY service, env, version LIMIT $7
"""

_VALUE_THEN = ",\n           ".join(
    f"CASE WHEN later.service IS NULL THEN endpoints.{column} ELSE {previous} END AS {column}"
    for column, previous in PREVIOUS_AS_VALUE.items()
)

# The current routes. A route that changed since has the value from before its first later change, and is left out when
# that change created it.
ROUTES_AT = f"""
WITH later AS (
    SELECT DISTINCT ON (service, env, version) service, env, version, {listed(PREVIOUS)}
    FROM changes WHERE tenant_id = $1 AND revision > $2 ORDER BY service, env, version, revision
), as_it_was AS (
    SELECT services.name AS service, environments.name AS env, endpoints.version,
           {_VALUE_THEN}
    FROM services
    JOIN environments ON environments.service_id = services.id
    JOIN endpoints ON endpoints.environment_id = environments.id
    LEFT JOIN later ON later.service = services.name AND later.env = environments.name
        AND later.version = endpoints.version
    WHERE services.tenant_id = $1 AND (later.service IS NULL OR later.previous_state IS NOT NULL)
)
SELECT service, env, version, {listed(VALUE)} FROM as_it_was
WHERE ($3::text IS NULL OR service = $3)
  AND ($4::text IS NULL OR env = $4)
  AND ($5::text IS NULL OR version = $5)
  AND ($6::boolean IS NULL OR is_active = $6)
  AND ($7::text IS NULL OR (service, env, version) > ($7, $8, $9))
ORDER BY service, env, version LIMIT $10
"""
