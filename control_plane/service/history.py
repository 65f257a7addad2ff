"""Reads a tenant's history."""

from collections.abc import Sequence

from control_plane.domain.history import ChangeSetSummary, CommittedChanges, HistoryFilter
from control_plane.domain.routes import PastRoute, RouteFilter, RoutePosition
from control_plane.ports.routes import History
from shared.runtime.deadlines import within_deadline
from shared.schemas.events import RouteChange


class HistoryService:
    """One method per use case. Each raises TimeoutError after the deadline, and what the History port raises."""

    def __init__(self, history: History, *, deadline_seconds: float) -> None:
        self._history = history
        self.deadline_seconds = deadline_seconds

    @within_deadline
    async def page(
        self, tenant: str, matching: HistoryFilter, before: int | None, limit: int
    ) -> Sequence[ChangeSetSummary]:
        """Change sets, newest first, starting before the given revision."""
        return await self._history.page(tenant, matching, before, limit)

    @within_deadline
    async def get(self, tenant: str, revision: int) -> CommittedChanges:
        """One change set with all of its changes."""
        return await self._history.get(tenant, revision)

    @within_deadline
    async def diff(
        self, tenant: str, first: int, last: int, after: RoutePosition | None, limit: int
    ) -> Sequence[RouteChange]:
        """The net difference between two revisions, by service, env and version."""
        return await self._history.diff(tenant, first, last, after, limit)

    @within_deadline
    async def routes_at(
        self, tenant: str, revision: int, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[PastRoute]:
        """The tenant's routes as they were at a revision."""
        return await self._history.routes_at(tenant, revision, matching, after, limit)
