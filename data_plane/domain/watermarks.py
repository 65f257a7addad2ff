"""How far each tenant's events were applied."""

from collections.abc import Mapping
from enum import Enum, auto

_NOTHING = range(0)


class RevisionOrder(Enum):
    """What an event's revision was against those applied before."""

    FIRST = auto()
    """The tenant was not heard of before: where its counting starts."""
    NEXT = auto()
    DUPLICATE = auto()
    OLDER = auto()
    GAP = auto()
    """Revisions in between went unheard."""


class Watermarks:
    """The revisions applied of each tenant. A tenant's revisions are gap-free, so a jump is a loss."""

    def __init__(self) -> None:
        self._applied: dict[str, range] = {}

    def applied(self, tenant: str) -> range:
        """The newest revisions that were all applied, without one missing among them. Empty: none was."""
        return self._applied.get(tenant, _NOTHING)

    def newest(self) -> dict[str, int]:
        """By tenant, the last revision applied."""
        return {tenant: applied.stop - 1 for tenant, applied in self._applied.items()}

    def resume(self, newest: Mapping[str, int]) -> None:
        """Go on after what another process has applied: its next revision is NEXT, one after that a GAP.

        What this process applied begins after that: what the other one has forgotten is not known here.
        """
        for tenant, revision in newest.items():
            self._applied.setdefault(tenant, range(revision + 1, revision + 1))

    def advance(self, tenant: str, revision: int) -> RevisionOrder:
        """Note that the tenant's revision is applied, and tell how it relates to what was before."""
        applied = self._applied.get(tenant)
        if applied is None:
            self._applied[tenant] = range(revision, revision + 1)
            return RevisionOrder.FIRST
        if revision < applied.stop:
            return RevisionOrder.DUPLICATE if revision == applied.stop - 1 else RevisionOrder.OLDER
        is_next = revision == applied.stop
        self._applied[tenant] = range(applied.start if is_next else revision, revision + 1)
        return RevisionOrder.NEXT if is_next else RevisionOrder.GAP
