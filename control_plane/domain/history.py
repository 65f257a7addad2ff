"""What was done to a tenant's routes, and what they were."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.events import Action, RouteChange
from shared.schemas.identity import RouteKey


@dataclass(frozen=True, slots=True)
class ChangeSetSummary:
    """A committed change set: who, when, why, and how many routes it changed."""

    revision: int
    changed_by: str
    reason: str | None
    correlation_id: str
    committed_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class CommittedChanges:
    """A committed change set with everything it changed."""

    summary: ChangeSetSummary
    changes: tuple[RouteChange, ...]


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which change sets to list; None does not restrict."""

    changed_by: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RouteThen:
    """A route as it was at a revision."""

    key: RouteKey
    url: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class NetChange:
    """How a route differs between two revisions; no `before`: it was created between them."""

    before: RouteThen | None
    after: RouteThen

    @property
    def action(self) -> Action:
        if self.before is None:
            return Action.CREATED
        if self.before.is_active == self.after.is_active:
            return Action.UPDATED
        return Action.ACTIVATED if self.after.is_active else Action.DEACTIVATED
