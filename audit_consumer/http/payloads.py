"""The audit trail as JSON."""

from datetime import datetime
from uuid import UUID

import msgspec

from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import Page
from shared.schemas.events import Action
from shared.schemas.route_value import RouteState


class AuditedRoute(msgspec.Struct, frozen=True):
    """The key of the changed route."""

    tenant: str
    service: str
    env: str
    version: str


class AuditedChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one route. `url` and `is_active` are its value after the change; `previous_…` is its value before the
    change, null when the change created the route.

    Changes with the same `event_id` and `revision` were committed together. Times are UTC.
    """

    event_id: UUID
    event_type: str
    index: int
    action: Action
    route: AuditedRoute
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


class AuditPage(msgspec.Struct, frozen=True):
    """Changes, newest first. `count` is the number of changes on this page; `next_cursor` is null on the last page."""

    count: int
    events: list[AuditedChange]
    next_cursor: str | None


def page_body(page: Page) -> AuditPage:
    """The response body of a page."""
    return AuditPage(len(page.events), [_change(each) for each in page.events], page.next_cursor)


def _change(event: AuditEvent) -> AuditedChange:
    route, value, previous = event.route, event.value, event.previous
    return AuditedChange(
        event_id=event.event_id,
        event_type=event.event_type,
        index=event.index,
        action=event.action,
        route=AuditedRoute(route.tenant, route.service, route.env, route.version),
        revision=event.revision,
        url=value.url,
        is_active=value.is_active,
        previous_url=previous.url if previous else None,
        previous_state=previous.state if previous else None,
        changed_by=event.changed_by,
        reason=event.reason,
        correlation_id=event.correlation_id,
        occurred_at=event.occurred_at,
        processed_at=event.processed_at,
    )


EXAMPLE = {
    "count": 1,
    "events": [
        {
            "event_id": "0198f2f0-7a3c-7d10-9c55-0242ac120002",
            "event_type": "route_changed",
            "index": 0,
            "action": "updated",
            "route": {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v2"},
            "revision": 42,
            "url": "https://payments-2.example.com",
            "is_active": True,
            "previous_url": "https://payments-1.example.com",
            "previous_state": "active",
            "changed_by": "ci-bot",
            "reason": "release 42",
            "correlation_id": "req-0123456789abcdef",
            "occurred_at": "2026-01-31T12:00:00.123456Z",
            "processed_at": "2026-01-31T12:00:00.127000Z",
        }
    ],
    "next_cursor": "WyI4ZjE0ZTQ1ZmNlZWExNjdhIiwiMjAyNi0wMS0zMVQxMjowMDow…",
}
