"""The value of a route: every attribute that a change set can set, and that a resolver answers with.

A new attribute (for example `labels`) becomes a field of `RouteValue`. The flat records that carry a value next to other
fields get the field too: `RouteChange` in `shared.schemas.events`, once for the new and once for the previous value.
Everything else passes a `RouteValue` on as a whole and needs no change. Types outside this package embed it
(`value: RouteValue`) and do not repeat its fields; a type that is about one change embeds the `RouteChange`.
"""

from enum import StrEnum

import msgspec


class RouteState(StrEnum):
    """Whether a route is resolved. A route that was never created has no state."""

    ACTIVE = "active"
    INACTIVE = "inactive"


# Without cyclic garbage collection: the attributes cannot refer back to the value.
class RouteValue(msgspec.Struct, frozen=True, gc=False):
    """The attributes of a route at one revision. An inactive route keeps the URL that it had."""

    url: str
    is_active: bool

    @property
    def state(self) -> RouteState:
        return RouteState.ACTIVE if self.is_active else RouteState.INACTIVE
