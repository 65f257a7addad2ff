"""The audit consumer's ports on fakes, and its application on them."""

from audit_consumer.composition.app import build_app
from audit_consumer.composition.connect import new_health
from audit_consumer.ports import AuditReader, Ports
from audit_consumer.settings import AuditSettings
from shared.runtime.access.assembly import Access
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.clock import Clock
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.fakes.audit_dead_letters import FakeDeadLetters
from tests.fakes.audit_records import FakeRecords, FakeTopic
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.clocks import MovableClock


def fake_ports(reader: AuditReader | None = None) -> Ports:
    """An empty trail, topic and dead letter queue. `reader` replaces the trail for queries."""
    trail = FakeAuditTrail()
    return Ports(
        reader=reader or trail,
        writer=trail,
        store=trail,
        records=FakeRecords(FakeTopic()),
        dead_letters=FakeDeadLetters(),
    )


def audit_app(
    reader: AuditReader | None = None,
    clock: Clock | None = None,
    *,
    access: Access | None = None,
    metrics: Metrics | None = None,
    settings: AuditSettings | None = None,
) -> TelemetryMiddleware:
    """The application on `fake_ports`. Without `access`, it allows every request."""
    return build_app(
        fake_ports(reader),
        settings=settings or AuditSettings(),
        clock=clock or MovableClock(),
        health=new_health(),
        metrics=metrics or Metrics(Service.AUDIT_CONSUMER),
        access=access or Access(OpenAccess()),
    )
