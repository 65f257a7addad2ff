"""Runs the scenarios one after another and measures when alerts arrive and resolve."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.drill.alerts import AlertWatch, Arrived
from deploy.drill.load import Load
from deploy.drill.scenarios import Scenario
from deploy.local.stack import Stack
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.rule import Scale, seconds_of

GRACE_SECONDS = 10.0
"""An alert must arrive within its `for` and this."""
RESOLVE_SECONDS = 60.0
_ONSET_SECONDS = 120.0
"""Longest time from a fault until its condition holds: the stall and the staleness bound are themselves a minute old."""
_QUIET_SECONDS = 180.0
_POLL_SECONDS = 0.5
_GROUP_WAIT_SECONDS = 10.0
"""As in deploy/prometheus/alertmanager.yaml."""


@dataclass(slots=True)
class Result:
    """What was seen in one scenario. Times are in seconds; None: not seen."""

    name: str
    alert: str
    limit: float
    to_condition: float | None = None
    condition_to_arrival: float | None = None
    to_resolved: float | None = None
    other_pages: set[str] = field(default_factory=set)
    tickets: set[str] = field(default_factory=set)
    waiting: dict[Arrived, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the alert arrived and resolved in time, and no other page arrived."""
        arrived = self.condition_to_arrival is not None and self.condition_to_arrival <= self.limit
        resolved = self.to_resolved is not None and self.to_resolved <= RESOLVE_SECONDS
        return arrived and resolved and not self.other_pages


async def healthy(watch: AlertWatch, seconds: float) -> Result:
    """No alert may arrive in a healthy stack under load."""
    result, end = Result("healthy", "none", 0), time.monotonic() + seconds
    while time.monotonic() < end:
        _note(result, await watch.current(), frozenset())
        await asyncio.sleep(_POLL_SECONDS)
    return result


async def run(scenario: Scenario, stack: Stack, load: Load, watch: AlertWatch, scale: Scale) -> Result:
    """Break, wait for the alert, mend, wait until it has resolved."""
    severity, patience = _patience(scenario.alert, scale)
    wanted = Arrived(scenario.alert, severity)
    result = Result(scenario.name, scenario.alert, patience + GRACE_SECONDS)
    await _until(lambda alerts: not alerts, _QUIET_SECONDS, watch, result, None)
    watch.first_seen.clear()
    broken_at = time.time()
    async with scenario.fault(stack, load):
        if await _until(lambda alerts: wanted in alerts, _ONSET_SECONDS + patience, watch, result, scenario):
            began = await watch.pending_since(scenario.alert)
            if began is not None:
                result.to_condition = began - broken_at
                result.condition_to_arrival = watch.first_seen[wanted] - began
    mended_at = time.time()
    if await _until(lambda alerts: wanted not in alerts, RESOLVE_SECONDS * 2, watch, result, scenario):
        result.to_resolved = time.time() - mended_at
    return result


def _patience(name: str, scale: Scale) -> tuple[str, float]:
    """The severity of the alert and the shortest `for` under its name."""
    alert = next(each for each in ALERTS if each.name == name)
    return alert.severity, seconds_of(scale.duration(alert.hold) if alert.scales else alert.hold)


async def _until(
    condition: Callable[[set[Arrived]], bool],
    seconds: float,
    watch: AlertWatch,
    result: Result,
    scenario: Scenario | None,
) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        alerts = await watch.current()
        if scenario is not None:
            _note(result, alerts, scenario.consequences | {scenario.alert})
        if condition(alerts):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


def _note(result: Result, alerts: set[Arrived], expected: frozenset[str]) -> None:
    """Record the alerts that Alertmanager would have sent: those that stayed, without an active cause, for its group_wait."""
    now = time.monotonic()
    result.waiting = {alert: result.waiting.get(alert, now) for alert in alerts if alert.name not in expected}
    for alert, since in result.waiting.items():
        if now - since >= _GROUP_WAIT_SECONDS:
            (result.other_pages if alert.severity == "page" else result.tickets).add(alert.name)
