"""The value of an active route in queries: its columns, which are named like its attributes."""

from typing import Any

from data_plane.domain.active_value import ATTRIBUTES, ActiveValue

COLUMNS = ", ".join(f"endpoints.{name}" for name in ATTRIBUTES)
"""For a row of each route."""


def value_from(row: Any) -> ActiveValue:
    """The value in a row with the columns."""
    return ActiveValue(row["url"])
