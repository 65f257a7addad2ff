"""How far each tenant's events were applied."""

from enum import Enum, auto


class Progress(Enum):
    """What an event's revision was against those applied before."""

    FIRST = auto()
    """The tenant was not heard of before: where its counting starts."""
    NEXT = auto()
    DUPLICATE = auto()
    OLDER = auto()
    GAP = auto()
    """Revisions in between went unheard."""


class Watermarks:
    """The highest revision applied of each tenant. A tenant's revisions are gap-free, so a jump is a loss."""

    def __init__(self) -> None:
        self._applied: dict[str, int] = {}

    def advance(self, tenant: str, revision: int) -> Progress:
        """Note that the tenant's revision is applied, and tell how it relates to what was before."""
        applied = self._applied.get(tenant)
        if applied is not None and revision <= applied:
            return Progress.DUPLICATE if revision == applied else Progress.OLDER
        self._applied[tenant] = revision
        if applied is None:
            return Progress.FIRST
        return Progress.NEXT if revision == applied + 1 else Progress.GAP
