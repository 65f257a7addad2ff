"""Every port of the control plane, in memory."""

from control_plane.ports.bundle import Ports
from tests.fakes.control_plane_change_sets import FakeChangeSets, FakeHistory
from tests.fakes.control_plane_event_log import FakeEventLog
from tests.fakes.control_plane_installation import FakeInstallation
from tests.fakes.control_plane_key_topic import FakeKeyTopic, FakeKeyUsageReports
from tests.fakes.control_plane_keys import FakeAccessKeys
from tests.fakes.control_plane_outbox import FakeOutbox
from tests.fakes.control_plane_propagation import FakePublications, FakeStatusReports
from tests.fakes.control_plane_registry import FakeRegistry, FakeRoutes, FakeTenants


def fake_ports(
    registry: FakeRegistry, *, publications: FakePublications | None = None, reports: FakeStatusReports | None = None
) -> Ports:
    """Ports on this registry; each that a test does not provide is a new fake."""
    access_keys = FakeAccessKeys(registry)
    key_topic = FakeKeyTopic(access_keys)
    return Ports(
        tenants=FakeTenants(registry),
        routes=FakeRoutes(registry),
        change_sets=FakeChangeSets(registry),
        history=FakeHistory(registry),
        access_keys=access_keys,
        key_topic=key_topic,
        key_publications=key_topic,
        key_use=key_topic,
        key_usage_reports=FakeKeyUsageReports(),
        outbox=FakeOutbox(),
        events=FakeEventLog(),
        revocations=FakeEventLog(),
        publications=publications or FakePublications(registry),
        status_reports=reports or FakeStatusReports(),
        installation=FakeInstallation(registry),
    )
