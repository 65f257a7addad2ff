"""Ports that show how far a committed change set has come on its way to the resolvers."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from control_plane.domain.fleet import Report
from control_plane.domain.propagation import Publication


class Publications(Protocol):
    """The positions of committed change sets in Kafka."""

    async def get(self, tenant: str, revision: int) -> Publication:
        """Raises DependencyUnavailable, NoSuchTenant, NoSuchRevision, and HistoryPurged for what is no longer kept."""
        ...


class StatusReports(Protocol):
    """The status reports of the resolver processes."""

    def batches(self) -> AsyncGenerator[Sequence[Report], None]:
        """The reports in endless batches, some of them empty. The first batch holds every report written until now.

        Raises ReportsInterrupted.
        """
        ...
