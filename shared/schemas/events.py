"""The records of the `route-events` topic, with their encoding and decoding."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

import msgspec

from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN, RouteKey
from shared.schemas.route_value import RouteState, RouteValue

MAX_CHANGES = 500
"""Most changes in one change set; a larger one is refused before anything is written."""

CORRELATION_ID_HEADER = "correlation_id"
TRACEPARENT_HEADER = "traceparent"

Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Version: TypeAlias = Annotated[str, msgspec.Meta(pattern=VERSION_PATTERN)]
UtcTime: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
MAX_REVISION = 2**53 - 1
"""Redis's scripts compare revisions as floating-point numbers, which are exact up to here. No tenant gets that far, so a higher
one is an error, and would be newer than everything that the tenant ever writes."""
Revision: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MAX_REVISION)]


class Action(StrEnum):
    """The effect of a change on a route."""

    CREATED = "created"
    UPDATED = "updated"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"

    @classmethod
    def between(cls, previous: RouteValue | None, value: RouteValue) -> Self:
        """The action that turns the previous value (None: the route does not exist) into a different one.

        A change between active and inactive is `activated` or `deactivated`, whatever else changes with it.
        """
        if previous is None:
            return cls("created")
        if previous.is_active == value.is_active:
            return cls("updated")
        return cls("activated" if value.is_active else "deactivated")


class RouteChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One changed route, with its value after the change and before it (null when the change created the route).

    This is the flat record on the wire. Code reads it through `value` and `previous` and builds it with `between`, so that
    only this class knows the flat names of a value's attributes.
    """

    action: Action
    service: Name
    env: Name
    version: Version
    url: str
    is_active: bool
    previous_url: str | None = None
    previous_state: RouteState | None = None

    @classmethod
    def between(cls, key: RouteKey, previous: RouteValue | None, value: RouteValue) -> Self:
        """The change of this route from its previous value (None: the route did not exist) to a different one."""
        return cls(
            action=Action.between(previous, value),
            service=key.service,
            env=key.env,
            version=key.version,
            url=value.url,
            is_active=value.is_active,
            previous_url=None if previous is None else previous.url,
            previous_state=None if previous is None else previous.state,
        )

    def key(self, tenant: str) -> RouteKey:
        """The key of the changed route, which belongs to this tenant."""
        return RouteKey(tenant, self.service, self.env, self.version)

    @property
    def value(self) -> RouteValue:
        """The route's value after the change."""
        return RouteValue(self.url, self.is_active)

    @property
    def previous(self) -> RouteValue | None:
        """The route's value before the change; None when the change created the route."""
        if self.previous_url is None or self.previous_state is None:
            return None
        return RouteValue(self.previous_url, self.previous_state is RouteState.ACTIVE)


class RouteChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="event_type", tag="route_changed"):
    """One committed change set of a tenant. `revision` is the tenant's, from 1 and without gaps.

    `occurred_at` is the primary's time inside the transaction, while the tenant was locked.
    """

    schema: Literal[1] = 1
    event_id: UUID
    tenant: Name
    revision: Revision
    changes: Annotated[tuple[RouteChange, ...], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]
    changed_by: str
    reason: str | None = None
    occurred_at: UtcTime
    correlation_id: str

    def keyed_changes(self) -> Iterator[tuple[RouteKey, RouteChange]]:
        """Each change with the key of its route."""
        for change in self.changes:
            yield change.key(self.tenant), change


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, tag_field="event_type", tag="heartbeat"):
    """A promise: every change set acknowledged before `as_of` (the primary's time) precedes this record.

    It precedes the heartbeat in this partition, or the same heartbeat in another of the topic's `partitions`. When
    `partitions` is None, the writer did not state their number, and readers cannot rely on the promise.
    """

    schema: Literal[1] = 1
    as_of: UtcTime
    partitions: Annotated[int, msgspec.Meta(ge=1)] | None = None


class ChangesWithheld(msgspec.Struct, frozen=True, kw_only=True, tag_field="event_type", tag="changes_withheld"):
    """Takes the place of a tenant's event that Kafka refused for good; docs/adr/0034 has the reasons.

    Readers have to read the tenant's routes again: heartbeats after this record do not prove what they hold of them.
    `event_id` and `revision` are those of the withheld event; None when it could not be decoded.
    """

    schema: Literal[1] = 1
    tenant: Name
    event_id: UUID | None = None
    revision: Revision | None = None


RouteEvent: TypeAlias = RouteChanged | Heartbeat | ChangesWithheld


class UndecodableEvent(ValueError):
    """A record that this release cannot decode. `reason` is one of a closed set, for metrics."""

    reason = "undecodable"


class MalformedEvent(UndecodableEvent):
    """The record is not JSON, or lacks the fields of its type and schema."""

    reason = "malformed"


class UnsupportedSchema(UndecodableEvent):
    """The record has a schema version of a later release, which readers must not guess at."""

    reason = "unsupported_schema"


class UnknownEventType(UndecodableEvent):
    """The record has an event type of a later release; readers skip and count it."""

    reason = "unknown_type"


class _Envelope(msgspec.Struct):
    schema: int
    event_type: str


_KNOWN_TYPES = frozenset({"route_changed", "heartbeat", "changes_withheld"})
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[RouteEvent] = msgspec.json.Decoder(RouteEvent)
_envelope_decoder = msgspec.json.Decoder(_Envelope)


def encode(event: RouteEvent) -> bytes:
    """The JSON value of the event on the topic."""
    return _encoder.encode(event)


def decode(value: bytes | None) -> RouteEvent:
    """The event in a record's value. Unknown fields are ignored.

    Raises UnknownEventType, UnsupportedSchema or MalformedEvent.
    """
    if value is None:
        raise MalformedEvent("the record has no value")
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise _explain(value, error) from error
    except RecursionError as error:
        raise MalformedEvent("nested too deeply to be an event") from error


def _explain(value: bytes, error: msgspec.DecodeError) -> UndecodableEvent:
    try:
        envelope = _envelope_decoder.decode(value)
    except msgspec.DecodeError:
        return MalformedEvent(str(error))
    if envelope.event_type not in _KNOWN_TYPES:
        return UnknownEventType(f"event type {envelope.event_type!r}")
    if envelope.schema != 1:
        return UnsupportedSchema(f"schema {envelope.schema}; this release reads 1")
    return MalformedEvent(str(error))
