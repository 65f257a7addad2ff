"""Readiness of this process, and the state of each of its dependencies."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field

from shared.runtime.redaction import redact


@dataclass
class DependencyHealth:
    """State of one dependency according to the calls made to it; there are no separate probes."""

    required: bool
    up: bool | None = None
    detail: str = "not used yet"
    """Public: readiness shows it to every caller."""
    reason: str = ""
    """For logs and operators: why the dependency is down, with the addresses and names in a driver's message."""

    def mark_up(self) -> None:
        self.up, self.detail, self.reason = True, "answering", ""

    def mark_down(self, reason: str) -> None:
        """Readiness says only that the dependency is down; the caller logs the reason."""
        self.up, self.detail, self.reason = False, "not answering; the log says why", redact(reason)


@dataclass
class Health:
    """A process's readiness. `started` is set once all connections are open, `draining` before they close."""

    dependencies: MutableMapping[str, DependencyHealth]
    started: bool = False
    draining: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    when_draining: list[Callable[[], object]] = field(default_factory=list)
    """Called when draining begins, to end streams, which no client would end."""

    def drain(self) -> None:
        """Report not ready, and end the streams."""
        if not self.draining:
            self.draining = True
            for each in self.when_draining:
                each()

    def is_ready(self) -> bool:
        """Whether the process is started, not draining, and no required dependency is known to be down."""
        missing = any(each.required and each.up is False for each in self.dependencies.values())
        return self.started and not self.draining and not missing

    def status(self) -> str:
        """For display: starting, draining, ready or unready."""
        if self.draining:
            return "draining"
        if not self.started:
            return "starting"
        return "ready" if self.is_ready() else "unready"
