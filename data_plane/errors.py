"""What can go wrong in the resolver, in its own words."""

from typing import Any

from shared.runtime.background import Interrupted


class RouteUnknown(Exception):
    """No source can tell right now whether the route exists. Never to be taken for "there is no such route"."""


class NotFreshEnough(Exception):
    """The best answer may have been wrong for longer than the caller accepts. `bound` in seconds; None: not known."""

    def __init__(self, key: object, max_age: float, bound: float | None) -> None:
        best = "of unknown age" if bound is None else f"up to {bound * 1000:.0f} ms old"
        super().__init__(
            f"The best answer for {key} is {best}; asked for {max_age:g} s. Try again, or accept an older one."
        )
        self.bound = bound


class RevisionNotReached(Exception):
    """The caller asks for a revision of the tenant that no source has shown in time."""

    def __init__(self, key: Any, wanted: int, reached: int) -> None:
        super().__init__(
            f"Tenant {key.tenant} is known here up to revision {reached}, not {wanted}. If {wanted} was committed, try again."
        )
        self.reached = reached


class AnotherTenants(Exception):
    """The route is another tenant's than the caller's: to be answered as one that is not there."""

    def __init__(self, key: object) -> None:
        super().__init__(f"{key} has no active route; create or activate it in the control API.")


class UnreadableEntry(Exception):
    """The shared cache holds something under the key that is no entry; it counts as nothing being there."""


class StreamInterrupted(Interrupted):
    """The event stream ended: events are missed until there is a new subscription."""


class NoSuchTenant(Exception):
    """There is no tenant of this name."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"There is no tenant {tenant}; create it in the control API.")


class RevisionGone(Exception):
    """The changes after a revision are not kept here any more, or there never was one. `oldest` can be gone on from."""

    def __init__(self, tenant: str, since: int, oldest: int) -> None:
        super().__init__(
            f"The changes of {tenant} after revision {since} are not known here; the oldest to go on from is {oldest}. "
            "Watch without `since` and Last-Event-ID to begin with all routes."
        )
        self.oldest = oldest


class WatchUnavailable(Exception):
    """This instance cannot begin a watch now; the message says why."""


class TooManyWatchers(Exception):
    """The tenant has as many watchers here as one tenant may have."""

    def __init__(self, tenant: str, at_most: int) -> None:
        super().__init__(
            f"{tenant} has {at_most} watchers in this instance, as many as one tenant may have. Close those that are not "
            "needed, or try another instance."
        )


class SnapshotRefused(Exception):
    """What stands where the snapshot should be cannot be used; says why."""


class SnapshotNotWritten(Exception):
    """The snapshot on disk is still the one before, or none; says why. Tried again at the next interval."""


class TooManyKeys(Exception):
    """More routes were asked for in one request than it may hold."""
