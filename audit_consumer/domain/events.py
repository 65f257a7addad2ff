"""One audited change of one route, and the order of the audit trail."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared.schemas.events import Action, RouteChanged
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue

MAX_REVISION = 2**63 - 1
"""MongoDB's largest integer. A tenant with one change set per nanosecond reaches it after 292 years."""

ROUTE_CHANGED = "route_changed"


class UnstorableChange(ValueError):
    """A well-formed change that no document can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One change of a route: its value after and before the change, the actor and the reason.

    `previous` is None when the change created the route. `index` is the change's position in its change set.
    `occurred_at` is the time of the change by the database's clock, in microseconds; `processed_at` the time of storing
    it by this service's clock, in milliseconds. Both are UTC.
    """

    event_id: UUID
    index: int
    event_type: str
    action: Action
    route: RouteKey
    revision: int
    value: RouteValue
    previous: RouteValue | None
    changed_by: str
    reason: str | None
    correlation_id: str
    occurred_at: datetime
    processed_at: datetime

    @property
    def id(self) -> str:
        """The document's key. Every delivery of the same change has the same id, which makes storing idempotent."""
        return f"{self.event_id}:{self.index}"

    @property
    def sort_key(self) -> str:
        """A text, unique to this change, that sorts in the order of the trail.

        The time comes first, in microseconds (MongoDB's dates have milliseconds). The revision comes next: two change sets
        of a tenant in the same microsecond keep the order of their commits. The rest makes the key unique.
        """
        return f"{format_time(self.occurred_at)} {self.revision:019d} {self.event_id} {self.index:03d}"


def format_time(time: datetime) -> str:
    """The time as UTC text of fixed width that sorts by time, such as `2026-01-31T23:59:59.000001Z`."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


TIME_LENGTH = 27
"""Characters of a text that `format_time` makes."""


def time_of(sort_key: str) -> datetime:
    """The time in a sort key, in microseconds."""
    return datetime.fromisoformat(sort_key[:TIME_LENGTH])


def audit_events(change_set: RouteChanged, processed_at: datetime) -> Iterator[AuditEvent]:
    """One event for each change of a change set. Raises UnstorableChange."""
    if change_set.revision > MAX_REVISION:
        raise UnstorableChange(f"revision {change_set.revision} exceeds {MAX_REVISION}")
    occurred_at = _utc(change_set.occurred_at)
    for index, (route, change) in enumerate(change_set.keyed_changes()):
        yield AuditEvent(
            event_id=change_set.event_id,
            index=index,
            event_type=ROUTE_CHANGED,
            action=change.action,
            route=route,
            revision=change_set.revision,
            value=change.value,
            previous=change.previous,
            changed_by=change_set.changed_by,
            reason=change_set.reason,
            correlation_id=change_set.correlation_id,
            occurred_at=occurred_at,
            processed_at=processed_at.replace(microsecond=processed_at.microsecond // 1000 * 1000),
        )


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise UnstorableChange(f"occurred_at {time.isoformat()} is outside the years 1 to 9999 in UTC") from error
