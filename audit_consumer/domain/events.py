"""One audited change of one route, and the order in which changes are shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared.schemas.events import Action, RouteChanged
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteState

LARGEST_REVISION = 2**63 - 1
"""What MongoDB can hold; at one change set a nanosecond, a tenant gets there after 292 years."""

ROUTE_CHANGED = "route_changed"


class UnstorableChange(ValueError):
    """A change that is well-formed and still can never be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What one change did to a route, who asked for it, and what the route was before.

    `index` is the change's place in its change set. `occurred_at` is the database's time of the change, to the
    microsecond; `processed_at` is this service's time of storing it, to the millisecond.
    """

    event_id: UUID
    index: int
    event_type: str
    action: Action
    route: RouteKey
    revision: int
    url: str
    is_active: bool
    previous_url: str | None
    previous_state: RouteState | None
    changed_by: str
    reason: str | None
    correlation_id: str
    occurred_at: datetime
    processed_at: datetime

    @property
    def id(self) -> str:
        """The same for every delivery of the same change: what makes storing it idempotent."""
        return f"{self.event_id}:{self.index}"

    @property
    def sort_key(self) -> str:
        """A text that sorts as changes are shown, unique to this change.

        Time first, to the microsecond (MongoDB's dates stop at milliseconds). Then the revision, so that two change
        sets of a tenant in the same microsecond stay in the order of their commits. The rest only makes it unique.
        """
        return f"{moment(self.occurred_at)} {self.revision:019d} {self.event_id} {self.index:03d}"


def moment(time: datetime) -> str:
    """A time as UTC text of fixed width, which sorts as the times do: `2026-01-31T23:59:59.000001Z`."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


MOMENT_LENGTH = 27


def moment_of(sort_key: str) -> datetime:
    """The time in a sort key, to the microsecond."""
    return datetime.fromisoformat(sort_key[:MOMENT_LENGTH])


def events_of(change_set: RouteChanged, processed_at: datetime) -> Iterator[AuditEvent]:
    """One event for each change of a change set. Raises UnstorableChange."""
    if change_set.revision > LARGEST_REVISION:
        raise UnstorableChange(f"revision {change_set.revision} is beyond {LARGEST_REVISION}")
    occurred_at = _utc(change_set.occurred_at)
    for index, (route, change) in enumerate(change_set.keyed_changes()):
        yield AuditEvent(
            event_id=change_set.event_id,
            index=index,
            event_type=ROUTE_CHANGED,
            action=change.action,
            route=route,
            revision=change_set.revision,
            url=change.url,
            is_active=change.is_active,
            previous_url=change.previous_url,
            previous_state=change.previous_state,
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
