"""Which routes are likely to be asked for, as far as a database can tell: the newest."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from shared.schemas.identity import RouteKey

SECONDS = 2.0
"""Time for the query: the primary key gives the order, so only as many rows are read as are wanted."""

_NEWEST = """
SELECT tenants.name AS tenant, services.name AS service, environments.name AS environment, newest.version
FROM (SELECT id, environment_id, version FROM endpoints WHERE is_active ORDER BY id DESC LIMIT $1) AS newest
JOIN environments ON environments.id = newest.environment_id
JOIN services ON services.id = environments.service_id
JOIN tenants ON tenants.id = services.tenant_id
"""


async def newest_routes(connection: "asyncpg.Connection[Any]", most: int) -> Sequence[RouteKey]:
    """The active routes that were created last, at most so many."""
    rows = await connection.fetch(_NEWEST, most)
    return [RouteKey(row["tenant"], row["service"], row["environment"], row["version"]) for row in rows]
