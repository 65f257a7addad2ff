"""The last changes of one tenant, as they were applied."""

from collections import deque

from shared.runtime.clock import LocalTime
from shared.schemas.events import RouteChanged


class TenantChangeLog:
    """Every change set after the revision `oldest`, without a gap: those applied so far, and all that will be.

    That holds as long as nothing of the tenant goes unheard; who notices that begins another feed. `since` is what the
    event stream vouched for when this one began.
    """

    def __init__(self, oldest: int, since: LocalTime) -> None:
        self._oldest = oldest
        self._events: deque[RouteChanged] = deque()
        self.since = since

    @property
    def oldest(self) -> int:
        """The revision after which everything is here. Who has it, or a newer one, can go on from there."""
        return self._oldest

    @property
    def newest(self) -> int:
        """The last revision that is here."""
        return self._oldest + len(self._events)

    def add(self, event: RouteChanged) -> bool:
        """Add the next revision. False when it is here already, or was."""
        if event.revision <= self.newest:
            return False
        if event.revision > self.newest + 1:
            raise ValueError(f"revision {event.revision} of {event.tenant} does not follow {self.newest}")
        self._events.append(event)
        return True

    def after(self, revision: int) -> RouteChanged | None:
        """The first change set after the revision, which is not before `oldest`. None when it is still to come."""
        place = revision - self._oldest
        return self._events[place] if 0 <= place < len(self._events) else None

    def forget_first(self) -> RouteChanged:
        """Let the oldest change set go."""
        self._oldest += 1
        return self._events.popleft()
