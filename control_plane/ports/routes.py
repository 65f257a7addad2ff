"""Ports that read and create tenants, and that read their routes and history."""

from collections.abc import Sequence
from typing import Protocol

from control_plane.domain.history import ChangeSetSummary, CommittedChanges, HistoryFilter
from control_plane.domain.routes import PastRoute, Route, RouteFilter, RoutePosition, Tenant
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey


class Tenants(Protocol):
    """The teams on the platform. Every method raises DependencyUnavailable."""

    async def create(self, name: str) -> tuple[Tenant, bool]:
        """The tenant of that name, created if it did not exist; the flag says whether this call created it."""
        ...

    async def get(self, name: str) -> Tenant:
        """Raises NoSuchTenant."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        """Up to `limit` tenants by name, starting after the given one."""
        ...


class Routes(Protocol):
    """Every tenant's routes. Every method raises DependencyUnavailable and NoSuchTenant."""

    async def get(self, key: RouteKey) -> Route:
        """The route, active or not. Raises NoSuchRoute."""
        ...

    async def page(
        self, tenant: str, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[Route]:
        """Up to `limit` of a tenant's routes by service, env and version, starting after the given position."""
        ...


class History(Protocol):
    """The committed change sets of tenants. Every method raises DependencyUnavailable and NoSuchTenant.

    All methods but `page` raise NoSuchRevision, and HistoryPurged for a revision that is no longer kept. Revision 0 is the
    state before the first change set.
    """

    async def page(
        self, tenant: str, matching: HistoryFilter, before: int | None, limit: int
    ) -> Sequence[ChangeSetSummary]:
        """Up to `limit` change sets, newest first, starting before the given revision."""
        ...

    async def get(self, tenant: str, revision: int) -> CommittedChanges:
        """A change set with all of its changes, in their order."""
        ...

    async def diff(
        self, tenant: str, first: int, last: int, after: RoutePosition | None, limit: int
    ) -> Sequence[RouteChange]:
        """Up to `limit` net changes of routes between two revisions, by service, env and version."""
        ...

    async def routes_at(
        self, tenant: str, revision: int, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[PastRoute]:
        """Up to `limit` of the routes as they were at a revision, by service, env and version."""
        ...
