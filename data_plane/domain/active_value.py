"""The value of an active route: every attribute that a resolver caches and answers with.

A new attribute of `shared.schemas.route_value.RouteValue` becomes a field here, named like its column in PostgreSQL and with a
default. Everything else in the resolver passes an `ActiveValue` on as a whole, except its row
(`data_plane.adapters.postgres.route_value`), its encodings (`route_encoding`) and the documented body of an explanation
(`data_plane.http.explain`).
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from shared.schemas.route_value import RouteValue


# gc=False: the attributes cannot refer back to the value.
class ActiveValue(msgspec.Struct, frozen=True, gc=False):
    """The attributes of an active route at one revision. Any other route has none: None stands for its value."""

    url: str

    @classmethod
    def of(cls, value: RouteValue) -> Self | None:
        """The value that resolvers hold for a route with this value; None if it is inactive."""
        return cls(value.url) if value.is_active else None


ATTRIBUTES: tuple[str, ...] = ActiveValue.__struct_fields__
"""The names of the attributes, in JSON and as columns of PostgreSQL."""


_NO_VALUE: Mapping[str, Any] = dict.fromkeys(ATTRIBUTES)


def attributes_of(value: ActiveValue | None) -> Mapping[str, Any]:
    """Each attribute under its name; all are None without a value."""
    return _NO_VALUE if value is None else msgspec.structs.asdict(value)
