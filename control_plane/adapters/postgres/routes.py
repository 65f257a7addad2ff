"""Routes in PostgreSQL."""

from collections.abc import Sequence

from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.route_columns import ROUTES, route_from
from control_plane.domain.routes import Route, RouteFilter, RoutePosition
from control_plane.errors import NoSuchRoute, NoSuchTenant, SchemaChanged
from shared.runtime.retries import retried_once
from shared.schemas.identity import RouteKey

_GET = f"""
SELECT {ROUTES}
FROM tenants
LEFT JOIN (
    services
    JOIN environments ON environments.service_id = services.id AND environments.name = $3
    JOIN endpoints ON endpoints.environment_id = environments.id AND endpoints.version = $4
) ON services.tenant_id = tenants.id AND services.name = $2
WHERE tenants.name = $1
"""  # noqa: S608 - constants only

# The row comparison is the start of the page; the plain one on the service can use an index.
_PAGE = f"""
SELECT services.name AS service, environments.name AS env, endpoints.version, {ROUTES}
FROM tenants
JOIN services ON services.tenant_id = tenants.id
JOIN environments ON environments.service_id = services.id
JOIN endpoints ON endpoints.environment_id = environments.id
WHERE tenants.name = $1
  AND ($2::text IS NULL OR services.name = $2)
  AND ($3::text IS NULL OR environments.name = $3)
  AND ($4::text IS NULL OR endpoints.version = $4)
  AND ($5::boolean IS NULL OR endpoints.is_active = $5)
  AND ($6::text IS NULL OR services.name >= $6)
  AND ($6::text IS NULL OR (services.name, environments.name, endpoints.version) > ($6, $7, $8))
ORDER BY services.name, environments.name, endpoints.version
LIMIT $9
"""  # noqa: S608 - constants only
_TENANT_EXISTS = "SELECT EXISTS (SELECT FROM tenants WHERE name = $1)"


class PostgresRoutes:
    """The Routes port on the primary."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    @retried_once(SchemaChanged)
    async def get(self, key: RouteKey) -> Route:
        async with self._primary.read(key.tenant) as connection:
            found = await connection.fetchrow(_GET, key.tenant, key.service, key.env, key.version)
        if found is None:
            raise NoSuchTenant(key.tenant)
        if found["revision"] is None:
            raise NoSuchRoute(key)
        return route_from(key, found)

    @retried_once(SchemaChanged)
    async def page(
        self, tenant: str, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[Route]:
        wanted = (matching.service, matching.env, matching.version, matching.is_active)
        start = (after.service, after.env, after.version) if after else (None, None, None)
        async with self._primary.read(tenant) as connection:
            rows = await connection.fetch(_PAGE, tenant, *wanted, *start, limit)
            if not rows and not await connection.fetchval(_TENANT_EXISTS, tenant):
                raise NoSuchTenant(tenant)
        return [route_from(RouteKey(tenant, row["service"], row["env"], row["version"]), row) for row in rows]
