"""The metrics of the whole installation."""

from control_plane.domain.routes import Tenant
from control_plane.service.installation_monitor import InstallationMonitor
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.fakes.control_plane_installation import FakeInstallation
from tests.fakes.control_plane_registry import FakeRegistry


class Monitored:
    """A monitor of a registry with one tenant."""

    def __init__(self) -> None:
        registry = FakeRegistry()
        registry.tenants["team-a"] = Tenant("team-a", 0, registry.now)
        self.installation, self.is_leading = FakeInstallation(registry), True
        self._metrics = Metrics(Service.CONTROL_PLANE)
        self.monitor = InstallationMonitor(self.installation, is_leading=lambda: self.is_leading, metrics=self._metrics)

    def value(self, name: str) -> float:
        lines = self._metrics.exposition().decode().splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} "))


async def test_leader_counts_the_tenants() -> None:
    monitored = Monitored()
    await monitored.monitor.sample()
    assert monitored.value("tm_tenants") == 1


async def test_process_that_no_longer_leads_counts_nothing_and_shows_zero() -> None:
    monitored = Monitored()
    await monitored.monitor.sample()
    monitored.is_leading = False
    await monitored.monitor.sample()
    assert (monitored.value("tm_tenants"), monitored.installation.counted) == (0, 1)


async def test_schema_older_than_needed_is_shown_in_every_process() -> None:
    monitored = Monitored()
    monitored.is_leading = False
    await monitored.monitor.sample()
    assert monitored.value("tm_schema_current") == 1
    monitored.installation.has_schema = False
    await monitored.monitor.sample()
    assert monitored.value("tm_schema_current") == 0
