"""What can go wrong in the resolver, in its own words."""


class RouteUnknown(Exception):
    """No source can tell right now whether the route exists. Never to be taken for "there is no such route"."""


class UnreadableEntry(Exception):
    """The shared cache holds something under the key that is no entry; it counts as nothing being there."""


class StreamInterrupted(Exception):
    """The event stream stopped: events may go unheard until it is opened again."""


class TooManyKeys(Exception):
    """More routes were asked for in one request than it may hold."""
