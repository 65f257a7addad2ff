"""Ports that show how far a committed change set has come on its way to the resolvers."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from control_plane.domain.fleet import Report
from control_plane.domain.propagation import Publication


class Publications(Protocol):
    """The positions of committed change sets in Kafka."""

    async def get(self, tenant: str, revision: int) -> Publication:
        """Raises DependencyUnavailable, NoSuchTenant, NoSuchRevision, and HistoryPurged for what is no longer kept."""
        ...


class ReportSubscription(Protocol):
    """One connection to the status reports."""

    @property
    def backlog(self) -> Sequence[Report]:
        """The reports that existed when the subscription began, oldest first."""
        ...

    async def poll(self) -> Sequence[Report]:
        """The next reports; none when none arrive for a fraction of a second. Raises ReportsInterrupted."""
        ...


class StatusReports(Protocol):
    """The status reports of the resolver processes."""

    def subscribe(self) -> AbstractAsyncContextManager[ReportSubscription]:
        """A subscription for the length of the block, from which on no report is missed. Raises ReportsInterrupted."""
        ...
