"""The statements that read a tenant's history. `$1` is the tenant's id."""

TENANT = "SELECT id, revision, routes FROM tenants WHERE name = $1"

# Change sets of before the history was kept have the size 0.
OLDEST = "SELECT min(revision) FROM change_sets WHERE tenant_id = $1 AND size > 0"

CHANGES_OF = """
SELECT service, env, version, action, url, is_active, previous_url, previous_state
FROM changes WHERE tenant_id = $1 AND revision = $2 ORDER BY position
"""

# The first change after a revision tells what a route was at it.
FIRST_CHANGES_AFTER = """
SELECT DISTINCT ON (service, env, version)
       service, env, version, action, url, is_active, previous_url, previous_state
FROM changes WHERE tenant_id = $1 AND revision > $2 ORDER BY service, env, version, revision
"""

_SUMMARY = "revision, changed_by, reason, correlation_id, committed_at, size"
SUMMARY = f"SELECT {_SUMMARY} FROM change_sets WHERE tenant_id = $1 AND revision = $2"  # noqa: S608
PAGE = f"""
SELECT {_SUMMARY} FROM change_sets
WHERE tenant_id = $1 AND size > 0
  AND ($2::text IS NULL OR changed_by = $2)
  AND ($3::timestamptz IS NULL OR committed_at >= $3)
  AND ($4::bigint IS NULL OR revision < $4)
ORDER BY revision DESC LIMIT $5
"""  # noqa: S608 - no input, only the list of columns

# Of each route changed between the two revisions, what it was before the first change and is after the last; unless
# they are the same.
DIFF = """
WITH between_them AS (
    SELECT * FROM changes WHERE tenant_id = $1 AND revision > $2 AND revision <= $3
), before AS (
    SELECT DISTINCT ON (service, env, version) service, env, version, previous_url, previous_state
    FROM between_them ORDER BY service, env, version, revision
), after AS (
    SELECT DISTINCT ON (service, env, version) service, env, version, url, is_active
    FROM between_them ORDER BY service, env, version, revision DESC
)
SELECT service, env, version, previous_url, previous_state, url, is_active
FROM before JOIN after USING (service, env, version)
WHERE (previous_url, previous_state) IS DISTINCT FROM (url, CASE WHEN is_active THEN 'active' ELSE 'inactive' END)
  AND ($4::text IS NULL OR (service, env, version) > ($4, $5, $6))
ORDER BY service, env, version LIMIT $7
"""

# Today's routes, but for those changed since: of these, what they were before the first change, if they were there.
ROUTES_AT = """
WITH later AS (
    SELECT DISTINCT ON (service, env, version) service, env, version, previous_url, previous_state
    FROM changes WHERE tenant_id = $1 AND revision > $2 ORDER BY service, env, version, revision
), as_it_was AS (
    SELECT services.name AS service, environments.name AS env, endpoints.version,
           CASE WHEN later.service IS NULL THEN endpoints.url ELSE later.previous_url END AS url,
           CASE WHEN later.service IS NULL THEN endpoints.is_active ELSE later.previous_state = 'active' END AS is_active
    FROM services
    JOIN environments ON environments.service_id = services.id
    JOIN endpoints ON endpoints.environment_id = environments.id
    LEFT JOIN later ON later.service = services.name AND later.env = environments.name
        AND later.version = endpoints.version
    WHERE services.tenant_id = $1 AND (later.service IS NULL OR later.previous_state IS NOT NULL)
)
SELECT service, env, version, url, is_active FROM as_it_was
WHERE ($3::text IS NULL OR service = $3)
  AND ($4::text IS NULL OR env = $4)
  AND ($5::text IS NULL OR version = $5)
  AND ($6::boolean IS NULL OR is_active = $6)
  AND ($7::text IS NULL OR (service, env, version) > ($7, $8, $9))
ORDER BY service, env, version LIMIT $10
"""
