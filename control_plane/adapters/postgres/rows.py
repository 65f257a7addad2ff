"""Rows as the values they stand for."""

import asyncpg

from control_plane.domain.routes import Route
from shared.schemas.identity import RouteKey


def route_from(key: RouteKey, row: asyncpg.Record) -> Route:
    """The route of that key, from a row of `endpoints`."""
    return Route(key, row["url"], row["is_active"], row["revision"], row["created_at"], row["updated_at"])
