"""What can go wrong in the resolver, in its own words."""


class RouteUnknown(Exception):
    """No source can tell right now whether the route exists. Never to be taken for "there is no such route"."""


class AnotherTenants(Exception):
    """The route is another tenant's than the caller's: to be answered as one that is not there."""

    def __init__(self, key: object) -> None:
        super().__init__(f"{key} has no active route; create or activate it in the control API.")


class UnreadableEntry(Exception):
    """The shared cache holds something under the key that is no entry; it counts as nothing being there."""


class StreamInterrupted(Exception):
    """The event stream stopped: events may go unheard until it is opened again."""
