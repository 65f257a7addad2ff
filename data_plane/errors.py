"""The errors of the resolver's use cases."""

from typing import Any

from shared.runtime.background import Interrupted


class RouteUnknown(Exception):
    """No source can be read, so it is unknown whether the route exists. Different from "there is no such route"."""


class NotFreshEnough(Exception):
    """The staleness bound of the best answer is higher than the caller accepts. `bound` in seconds; None: unknown."""

    def __init__(self, key: object, max_age: float, bound: float | None) -> None:
        best = "unknown" if bound is None else f"{bound * 1000:.0f} ms"
        super().__init__(
            f"The staleness bound of the best answer for {key} is {best}, and the request accepts {max_age * 1000:.0f} ms. "
            "Try again, or accept an older answer."
        )
        self.bound = bound


class RevisionNotReached(Exception):
    """No source had the tenant revision that the caller demands before the deadline."""

    def __init__(self, key: Any, wanted: int, reached: int) -> None:
        super().__init__(
            f"This resolver process has revision {reached} of tenant {key.tenant}, and the request demands {wanted}. "
            f"If {wanted} was committed, try again."
        )
        self.reached = reached


class RouteOfOtherTenant(Exception):
    """The route belongs to another tenant than the caller. It is answered like a route that does not exist."""

    def __init__(self, key: object) -> None:
        super().__init__(f"{key} has no active route; create or activate it in the control API.")


class UnreadableEntry(Exception):
    """The value in Redis cannot be decoded as an entry. It counts as a miss."""


class StreamInterrupted(Interrupted):
    """The event stream ended: events are missed until there is a new subscription."""


class NoSuchTenant(Exception):
    """There is no tenant of this name."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"There is no tenant {tenant}; create it in the control API.")


class RevisionGone(Exception):
    """The change log no longer has the changes after the revision, or the tenant has no such revision yet.

    A subscription can resume from `oldest`.
    """

    def __init__(self, tenant: str, since: int, oldest: int) -> None:
        super().__init__(
            f"The changes of {tenant} after revision {since} are not in this instance's change log, which resumes from "
            f"{oldest} at the earliest. Watch without `since` and Last-Event-ID to begin with all routes."
        )
        self.oldest = oldest


class WatchUnavailable(Exception):
    """This instance cannot open a watch now; the message says why."""


class TooManyWatches(Exception):
    """The tenant has reached its limit of watches in this instance."""

    def __init__(self, tenant: str, at_most: int) -> None:
        super().__init__(
            f"{tenant} has {at_most} watches in this instance, the limit for one tenant. Close those that are not needed, "
            "or try another instance."
        )


class TooManyLoads(Exception):
    """Requests for a tenant's routes begin more loads than they may. `retry_after`: seconds until the next is admitted."""

    def __init__(self, tenant: str, retry_after: float) -> None:
        super().__init__(
            f"More routes of {tenant} are loaded than may be, beyond those in this process's cache. Wait {retry_after:.3g} s."
        )
        self.retry_after = retry_after


class SnapshotRefused(Exception):
    """The snapshot file cannot be used; the message says why."""


class SnapshotNotWritten(Exception):
    """The snapshot was not replaced; the message says why. Writing is tried again at the next interval."""


class TooManyKeys(Exception):
    """A bulk request has more keys than the limit."""
