"""The committed change sets of a tenant."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.events import RouteChange


@dataclass(frozen=True, slots=True)
class ChangeSetSummary:
    """A committed change set: author, reason, time, and number of changed routes (`size`)."""

    revision: int
    changed_by: str
    reason: str | None
    correlation_id: str
    committed_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class CommittedChanges:
    """A committed change set with its changes."""

    summary: ChangeSetSummary
    changes: tuple[RouteChange, ...]


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which change sets to list; None does not restrict."""

    changed_by: str | None = None
    since: datetime | None = None
