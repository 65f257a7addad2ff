"""The settings of access."""

from structlog.testing import capture_logs

from control_plane.composition.connect import new_health
from control_plane.settings import ControlPlaneSettings
from shared.runtime.access.assembly import ACCESS_KEYS, build_access
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.support.clocks import MovableClock


def test_access_is_on_by_default() -> None:
    health = new_health()
    with capture_logs() as logs:
        access = build_access(
            ControlPlaneSettings(), clock=MovableClock(), health=health, metrics=Metrics(Service.CONTROL_PLANE)
        )
    assert access.keyring is not None
    assert not health.dependencies[ACCESS_KEYS].up
    assert logs == []


def test_access_off_is_shown_in_the_log_and_in_readiness() -> None:
    health = new_health()
    with capture_logs() as logs:
        access = build_access(
            ControlPlaneSettings(access="off"),
            clock=MovableClock(),
            health=health,
            metrics=Metrics(Service.CONTROL_PLANE),
        )
    assert access.keyring is None
    assert "every caller may do everything" in health.notes["access"]
    assert [(each["log_level"], each["event"][:13]) for each in logs] == [("warning", "ACCESS IS OFF")]
