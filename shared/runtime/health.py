"""Whether this process should get traffic, and what it knows of each thing it depends on."""

import signal
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field

from shared.runtime.redaction import redact

DRAIN_SIGNAL = signal.SIGUSR1
"""What a server's parent process sends its workers when it is asked to end: report not ready, keep answering."""


@dataclass
class DependencyHealth:
    """What is known of one dependency, from the calls that were made anyway: no probe of its own."""

    required: bool
    up: bool | None = None
    detail: str = "not used yet"

    def mark_up(self) -> None:
        self.up, self.detail = True, "answering"

    def mark_down(self, why: str) -> None:
        """`why` is public: readiness shows it, without the passwords that a driver's message may hold."""
        self.up, self.detail = False, redact(why)


@dataclass
class Health:
    """A process's readiness. `started` is set when everything is open, `draining` when it is about to close."""

    dependencies: MutableMapping[str, DependencyHealth]
    started: bool = False
    draining: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    when_draining: list[Callable[[], object]] = field(default_factory=list)
    """What ends by itself as soon as the process drains, because no request would end it: streams."""

    def drain(self) -> None:
        """Take no more traffic."""
        if not self.draining:
            self.draining = True
            for each in self.when_draining:
                each()

    def is_ready(self) -> bool:
        """Open, not draining, and no required dependency known to be down."""
        missing = any(each.required and each.up is False for each in self.dependencies.values())
        return self.started and not self.draining and not missing

    def status(self) -> str:
        """One word for people: starting, draining, ready or unready."""
        if self.draining:
            return "draining"
        if not self.started:
            return "starting"
        return "ready" if self.is_ready() else "unready"
