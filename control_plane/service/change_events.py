"""The event of a change set, measured before its transaction commits: Kafka must accept every committed event."""

from datetime import datetime

from control_plane.domain.changes import Attribution
from control_plane.domain.plans import Plan
from control_plane.errors import EventTooLarge
from shared.runtime.ids import new_id
from shared.runtime.tracing.trace_context import current_traceparent
from shared.schemas.events import CORRELATION_ID_HEADER, TRACEPARENT_HEADER, RouteChanged, encode
from shared.schemas.topics import MAX_EVENT_BYTES


def encode_event(plan: Plan, attribution: Attribution, occurred_at: datetime) -> tuple[RouteChanged, bytes]:
    """The event of a plan that changes something, and its payload. `occurred_at`: the primary's time.

    Raises EventTooLarge.
    """
    event = RouteChanged(
        event_id=new_id(),
        tenant=plan.tenant,
        revision=plan.revision,
        changes=plan.changes,
        changed_by=attribution.changed_by,
        reason=attribution.reason,
        occurred_at=occurred_at,
        correlation_id=attribution.correlation_id,
    )
    payload = encode(event)
    if len(payload) > MAX_EVENT_BYTES:
        raise EventTooLarge(plan.tenant, len(plan.changes), len(payload), MAX_EVENT_BYTES)
    return event, payload


def event_headers(attribution: Attribution) -> dict[str, str]:
    """The headers of the event's record: the correlation id, and the trace if there is one."""
    headers = {CORRELATION_ID_HEADER: attribution.correlation_id}
    traceparent = current_traceparent()
    return {**headers, TRACEPARENT_HEADER: traceparent} if traceparent else headers
