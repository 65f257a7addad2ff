"""Audit events as MongoDB documents, and back."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from audit_consumer.domain.events import AuditEvent, time_of
from shared.schemas.events import Action
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteState, RouteValue


def to_document(event: AuditEvent) -> dict[str, Any]:
    """The document of an event. Its `sort_key` has the microseconds that a BSON date lacks."""
    return {
        "_id": event.id,
        "sort_key": event.sort_key,
        "event_id": str(event.event_id),
        "index": event.index,
        "event_type": event.event_type,
        "action": event.action.value,
        "route": {
            "tenant": event.route.tenant,
            "service": event.route.service,
            "env": event.route.env,
            "version": event.route.version,
        },
        "revision": event.revision,
        **_value_fields(event.value, event.previous),
        "changed_by": event.changed_by,
        "reason": event.reason,
        "correlation_id": event.correlation_id,
        "occurred_at": event.occurred_at,
        "processed_at": event.processed_at,
    }


def from_document(document: Mapping[str, Any]) -> AuditEvent:
    """The event in a document of `to_document`. The document's dates must be aware."""
    value, previous = _values_in(document)
    return AuditEvent(
        event_id=UUID(document["event_id"]),
        index=document["index"],
        event_type=document["event_type"],
        action=Action(document["action"]),
        route=RouteKey(**document["route"]),
        revision=document["revision"],
        value=value,
        previous=previous,
        changed_by=document["changed_by"],
        reason=document["reason"],
        correlation_id=document["correlation_id"],
        occurred_at=time_of(document["sort_key"]),
        processed_at=document["processed_at"].astimezone(UTC),
    )


# A new attribute of a route's value is added in the two functions below, and nowhere else in this adapter.


def _value_fields(value: RouteValue, previous: RouteValue | None) -> dict[str, Any]:
    return {
        "url": value.url,
        "is_active": value.is_active,
        "previous_url": previous.url if previous else None,
        "previous_state": previous.state.value if previous else None,
    }


def _values_in(document: Mapping[str, Any]) -> tuple[RouteValue, RouteValue | None]:
    value = RouteValue(document["url"], document["is_active"])
    if document["previous_state"] is None:
        return value, None
    return value, RouteValue(document["previous_url"], document["previous_state"] == RouteState.ACTIVE)
