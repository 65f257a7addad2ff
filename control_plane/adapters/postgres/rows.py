"""Rows as the values they stand for."""

import asyncpg
import msgspec

from control_plane.domain.routes import Route
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue


def route_from(key: RouteKey, row: asyncpg.Record) -> Route:
    """The route of that key, from a row of `endpoints`."""
    return Route(key, value_from(row), row["revision"], row["created_at"], row["updated_at"])


def value_from(row: asyncpg.Record) -> RouteValue:
    """The value in a row that has its columns."""
    return RouteValue(row["url"], row["is_active"])


def change_from(row: asyncpg.Record) -> RouteChange:
    """The change in a row of `changes`, whose columns are named as the fields of the record."""
    return msgspec.convert(dict(row), RouteChange)
