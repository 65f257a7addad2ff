"""Audit events as MongoDB documents, and back."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from audit_consumer.domain.events import AuditEvent, moment_of
from shared.schemas.events import Action
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteState


def to_document(event: AuditEvent) -> dict[str, Any]:
    """The document of an event. Its `sort_key` holds the microseconds that a BSON date cannot."""
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
        "url": event.url,
        "is_active": event.is_active,
        "previous_url": event.previous_url,
        "previous_state": event.previous_state.value if event.previous_state else None,
        "changed_by": event.changed_by,
        "reason": event.reason,
        "correlation_id": event.correlation_id,
        "occurred_at": event.occurred_at,
        "processed_at": event.processed_at,
    }


def from_document(document: Mapping[str, Any]) -> AuditEvent:
    """The event in a document that `to_document` made; dates are read as aware UTC."""
    previous_state = document["previous_state"]
    return AuditEvent(
        event_id=UUID(document["event_id"]),
        index=document["index"],
        event_type=document["event_type"],
        action=Action(document["action"]),
        route=RouteKey(**document["route"]),
        revision=document["revision"],
        url=document["url"],
        is_active=document["is_active"],
        previous_url=document["previous_url"],
        previous_state=RouteState(previous_state) if previous_state else None,
        changed_by=document["changed_by"],
        reason=document["reason"],
        correlation_id=document["correlation_id"],
        occurred_at=moment_of(document["sort_key"]),
        processed_at=document["processed_at"].astimezone(UTC),
    )
