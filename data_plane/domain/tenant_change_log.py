"""The recent changes of one tenant, in the order in which they were applied."""

from collections import deque

from shared.runtime.clock import LocalTime
from shared.schemas.events import RouteChanged


class TenantChangeLog:
    """Every change set after the revision `oldest`, without a gap, and every one that is still to come.

    When an event may have been missed, the log is dropped and a new one begins. `since` is the stream's coverage at the
    beginning of this log (local).
    """

    def __init__(self, oldest: int, since: LocalTime) -> None:
        self._oldest = oldest
        self._events: deque[RouteChanged] = deque()
        self.since = since

    @property
    def oldest(self) -> int:
        """The log begins after this revision: a subscription can resume from it, or from a newer one."""
        return self._oldest

    @property
    def newest(self) -> int:
        """The last revision in the log."""
        return self._oldest + len(self._events)

    def add(self, event: RouteChanged) -> bool:
        """Append the next revision. False if it is or was in the log. Raises ValueError if it leaves a gap."""
        if event.revision <= self.newest:
            return False
        if event.revision > self.newest + 1:
            raise ValueError(f"revision {event.revision} of {event.tenant} does not follow {self.newest}")
        self._events.append(event)
        return True

    def after(self, revision: int) -> RouteChanged | None:
        """The first change set after the revision, which must be at least `oldest`. None if it has not been applied yet."""
        index = revision - self._oldest
        return self._events[index] if 0 <= index < len(self._events) else None

    def drop_oldest(self) -> RouteChanged:
        """Remove and return the oldest change set."""
        self._oldest += 1
        return self._events.popleft()
