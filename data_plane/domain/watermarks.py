"""The revisions applied of each tenant."""

from collections.abc import Mapping
from enum import Enum, auto

_NOTHING = range(0)


class RevisionOrder(Enum):
    """The relation of an event's revision to those applied before."""

    FIRST = auto()
    """The first event of the tenant."""
    NEXT = auto()
    DUPLICATE = auto()
    OLDER = auto()
    GAP = auto()
    """Revisions in between are missing."""


class Watermarks:
    """Ranges of applied revisions. A tenant's revisions have no gaps, so a jump means that events were lost."""

    def __init__(self) -> None:
        self._applied: dict[str, range] = {}

    def applied(self, tenant: str) -> range:
        """The newest revisions that were applied without a gap; empty if there are none."""
        return self._applied.get(tenant, _NOTHING)

    def newest(self) -> dict[str, int]:
        """The last revision applied, by tenant."""
        return {tenant: applied.stop - 1 for tenant, applied in self._applied.items()}

    def resume(self, newest: Mapping[str, int]) -> None:
        """Continue after the revisions that another process applied: the next one is NEXT, any later one a GAP.

        The range of this process starts empty, after them.
        """
        for tenant, revision in newest.items():
            self._applied.setdefault(tenant, range(revision + 1, revision + 1))

    def advance(self, tenant: str, revision: int) -> RevisionOrder:
        """Record that the revision is applied. Returns its relation to those before."""
        applied = self._applied.get(tenant)
        if applied is None:
            self._applied[tenant] = range(revision, revision + 1)
            return RevisionOrder.FIRST
        if revision < applied.stop:
            return RevisionOrder.DUPLICATE if revision == applied.stop - 1 else RevisionOrder.OLDER
        is_next = revision == applied.stop
        self._applied[tenant] = range(applied.start if is_next else revision, revision + 1)
        return RevisionOrder.NEXT if is_next else RevisionOrder.GAP
