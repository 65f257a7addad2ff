"""Stores when access keys were last used, as the services report it."""

from control_plane.ports.key_topic import KeyUsageReports, KeyUse
from shared.schemas.key_usage import KeyUsage


class KeyUsageKeeper:
    """Follows the reports of the other services. Runs in the process whose relay leads.

    Every run reads the reports of the last day again: those that are stored already change nothing.
    """

    def __init__(self, reports: KeyUsageReports, use: KeyUse) -> None:
        self._reports = reports
        self._use = use

    async def run(self) -> None:
        """Follow until the reports are interrupted. Raises Interrupted and DependencyUnavailable."""
        async with self._reports.subscribe() as subscription:
            while True:
                used_at = await subscription.poll()
                if used_at:
                    await self._use.note_used(used_at)

    async def note_own(self, usage: KeyUsage) -> None:
        """Store the keys that this process accepted. Raises DependencyUnavailable."""
        await self._use.note_used(dict.fromkeys(usage.keys, usage.as_of))
