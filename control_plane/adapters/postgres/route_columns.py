"""The columns that hold a route's value, and the values in rows that have them: the one place that lists these columns.

A new attribute of a route becomes a column in `VALUE`, in the order of `RouteValue`'s fields, and in `PREVIOUS`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from control_plane.domain.routes import Route
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteState, RouteValue

VALUE = {"url": "text", "is_active": "boolean"}
"""Columns of a value and their types, in `endpoints` and in `changes`."""

PREVIOUS = {"previous_url": "text", "previous_state": "text"}
"""Columns of the previous value in `changes`; all null for a route that the change created."""

PREVIOUS_AS_VALUE = {"url": "previous_url", "is_active": "previous_state = 'active'"}
"""For each column of a value, the expression that yields it from the columns of the previous value."""

CHANGE = {"service": "text", "env": "text", "version": "text", "action": "text"} | VALUE | PREVIOUS
"""Columns of one change, named as the fields of `RouteChange`."""


def listed(columns: Iterable[str], of: str | None = None) -> str:
    """The columns separated by commas, each qualified with the table `of`."""
    return ", ".join(columns if of is None else (f"{of}.{each}" for each in columns))


CHANGES = listed(CHANGE)
ROUTES = f"{listed(VALUE, of='endpoints')}, endpoints.revision, endpoints.created_at, endpoints.updated_at"
"""All columns that `route_from` needs."""


def parameters_of(changes: Sequence[RouteChange]) -> list[list[Any]]:
    """One array for each column of `CHANGE`."""
    return [[getattr(each, column) for each in changes] for column in CHANGE]


def value_from(row: asyncpg.Record) -> RouteValue:
    """The value in the columns of `VALUE`."""
    return RouteValue(*[row[column] for column in VALUE])


def previous_from(row: asyncpg.Record) -> RouteValue | None:
    """The previous value in the columns of `PREVIOUS`; None when the route did not exist."""
    if row["previous_state"] is None:
        return None
    return RouteValue(row["previous_url"], row["previous_state"] == RouteState.ACTIVE)


def route_from(key: RouteKey, row: asyncpg.Record) -> Route:
    """The route of that key in the columns of `ROUTES`."""
    return Route(key, value_from(row), row["revision"], row["created_at"], row["updated_at"])


def change_from(row: asyncpg.Record) -> RouteChange:
    """The change in the columns of `CHANGE`."""
    return msgspec.convert({column: row[column] for column in CHANGE}, RouteChange)
