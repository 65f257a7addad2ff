"""The status log, in memory."""

from dataclasses import dataclass, field

from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.resolver_status import ResolverStatus


@dataclass
class FakeStatusLog:
    """The StatusLog port; while `is_down` it refuses and counts reports."""

    reports: list[ResolverStatus] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    is_down: bool = False
    refused: int = 0

    async def report(self, status: ResolverStatus) -> None:
        await self._take()
        self.reports.append(status)

    async def withdraw(self, instance: str) -> None:
        await self._take()
        self.withdrawn.append(instance)

    async def _take(self) -> None:
        if self.is_down:
            self.refused += 1
            raise DependencyUnavailable("status_reports", "it is down")
