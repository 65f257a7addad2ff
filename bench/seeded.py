"""Routes inserted into the database directly, because creating them is not measured."""

import asyncpg

from shared.schemas.identity import RouteKey

TENANT = "bench-layers"

_SQL = """
WITH tenant AS (INSERT INTO tenants (name, revision) VALUES ($1, 1) RETURNING id),
made AS (
    INSERT INTO services (tenant_id, name)
    SELECT tenant.id, 'service-' || number FROM tenant, generate_series(0, $2::int - 1) AS number RETURNING id, name
),
environment AS (
    INSERT INTO environments (tenant_id, service_id, name)
    SELECT tenant.id, made.id, 'prod' FROM made, tenant RETURNING id, tenant_id, service_id
)
INSERT INTO endpoints (tenant_id, environment_id, version, url, is_active, revision, created_at, updated_at)
SELECT environment.tenant_id, environment.id, 'v1', 'http://' || made.name || '.bench-prod.svc.cluster.local:8080', true, 1, now(), now()
FROM environment JOIN made ON made.id = environment.service_id
"""


async def seed(url: str, routes: int) -> None:
    """Create the tenant with this many active routes."""
    connection = await asyncpg.connect(url)
    try:
        await connection.fetch(_SQL, TENANT, routes)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def key(number: int) -> RouteKey:
    """The key of one of these routes."""
    return RouteKey(TENANT, f"service-{number}", "prod", "v1")
