"""The kinds of records on Kafka, with examples: what docs/events.md, its schemas and the released samples are written from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from shared.schemas import access, events, key_usage, resolver_status
from shared.schemas.access import AccessRecord, KeysComplete, LiveSecret, Role
from shared.schemas.events import Action, ChangesWithheld, Heartbeat, RouteChange, RouteChanged
from shared.schemas.key_usage import KeyUsage
from shared.schemas.resolver_status import PartitionStatus, ResolverStatus
from shared.schemas.route_value import RouteState
from shared.schemas.topics import ACCESS_KEY_USAGE, ACCESS_KEYS, RESOLVER_STATUS, ROUTE_EVENTS, Topic

_TIME = datetime(2026, 3, 2, 16, 5, 12, 504000, tzinfo=UTC)
_CORRELATION_ID = "req-5f2d1c3b4a596877"
_TRACED = {"correlation_id": _CORRELATION_ID, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
_LATER_URL, _EARLIER_URL = "https://payments.team-a.example.com/v2", "https://payments.team-a.example.com/v1"


@dataclass(frozen=True, slots=True)
class RecordKind:
    """One kind of record.

    `key`: what the record's key is. `headers`: those of the example. `decode`: the reader, which gets key and value.
    `examples`: the first has a value in every field; together they have every value of closed sets.
    """

    name: str
    topic: Topic
    struct: type[msgspec.Struct]
    key: str
    headers: Mapping[str, str]
    decode: Callable[[bytes, bytes], msgspec.Struct]
    examples: Sequence[msgspec.Struct]


def _change(action: Action, version: str, previous: RouteState | None) -> RouteChange:
    is_active = action is not Action.DEACTIVATED
    return RouteChange(
        action=action,
        service="payments",
        env="prod",
        version=version,
        url=_LATER_URL,
        is_active=is_active,
        previous_url=None if previous is None else _EARLIER_URL,
        previous_state=previous,
    )


_ROUTE_CHANGED = RouteChanged(
    event_id=UUID("019cb0e2-7b28-7c4e-9d5a-0f6f3f1f0a11"),
    tenant="team-a",
    revision=42,
    changes=(_change(Action.CREATED, "v2", None), _change(Action.UPDATED, "v1", RouteState.ACTIVE)),
    changed_by="ci-bot",
    reason="release 42",
    occurred_at=_TIME,
    correlation_id=_CORRELATION_ID,
)
_WITHOUT_REASON = msgspec.structs.replace(
    _ROUTE_CHANGED,
    revision=43,
    changes=(
        _change(Action.ACTIVATED, "v3+build.7", RouteState.INACTIVE),
        _change(Action.DEACTIVATED, "V4", RouteState.ACTIVE),
    ),
    reason=None,
)
_ADMIN = AccessRecord(
    key_id="Zx9Yw8Vu7Ts6",
    version=1,
    subject="ops@example.com",
    role=Role.ADMIN,
    secrets=(LiveSecret(sha256="ab" * 32),),
)
_ROTATED = AccessRecord(
    key_id="A1b2C3d4E5f6",
    version=3,
    subject="ci-bot",
    role=Role.EDITOR,
    tenant="team-a",
    expires_at=_TIME + timedelta(days=90),
    secrets=(LiveSecret(sha256="0f" * 32), LiveSecret(sha256="1e" * 32, until=_TIME + timedelta(hours=24))),
    has_completion=True,
)
_STATUS = ResolverStatus(
    instance="resolver-7d4f-1b9c0e",
    version="2.3.1",
    started_at=_TIME - timedelta(hours=3),
    partitions=(
        PartitionStatus(partition=0, next_offset=1042, as_of=_TIME),
        PartitionStatus(partition=1, next_offset=0),
    ),
)

RECORD_KINDS = (
    RecordKind(
        "route-changed",
        ROUTE_EVENTS,
        RouteChanged,
        "the tenant",
        _TRACED,
        lambda _, value: events.decode(value),
        (_ROUTE_CHANGED, _WITHOUT_REASON),
    ),
    RecordKind(
        "heartbeat",
        ROUTE_EVENTS,
        Heartbeat,
        "none; written to every partition",
        {},
        lambda _, value: events.decode(value),
        (Heartbeat(as_of=_TIME, partitions=8), Heartbeat(as_of=_TIME)),
    ),
    RecordKind(
        "changes-withheld",
        ROUTE_EVENTS,
        ChangesWithheld,
        "the tenant",
        {"correlation_id": _CORRELATION_ID},
        lambda _, value: events.decode(value),
        (
            ChangesWithheld(tenant="team-a", event_id=_ROUTE_CHANGED.event_id, revision=42),
            ChangesWithheld(tenant="team-a"),
        ),
    ),
    RecordKind(
        "access-key",
        ACCESS_KEYS,
        AccessRecord,
        "the access key's id; a record without a value ends the key",
        {"correlation_id": _CORRELATION_ID},
        access.decode,
        (
            _ROTATED,
            *(msgspec.structs.replace(_ROTATED, role=role, expires_at=None) for role in (Role.VIEWER, Role.RESOLVER)),
            _ADMIN,
        ),
    ),
    RecordKind(
        "access-keys-complete",
        ACCESS_KEYS,
        KeysComplete,
        "`complete`",
        {},
        lambda _, value: access.decode_completion(value),
        (KeysComplete(generation=3, keys=17, as_of=_TIME),),
    ),
    RecordKind(
        "access-key-usage",
        ACCESS_KEY_USAGE,
        KeyUsage,
        "the process's instance",
        {},
        lambda _, value: key_usage.decode_usage(value),
        (KeyUsage(as_of=_TIME, keys=("A1b2C3d4E5f6", "Zx9Yw8Vu7Ts6")), KeyUsage(as_of=_TIME, keys=())),
    ),
    RecordKind(
        "resolver-status",
        RESOLVER_STATUS,
        ResolverStatus,
        "the process's instance; a record without a value says that it has drained",
        {},
        lambda _, value: resolver_status.decode_status(value),
        (_STATUS, msgspec.structs.replace(_STATUS, partitions=())),
    ),
)


def record_key(kind: RecordKind, value: bytes) -> bytes:
    """The key under which a value of this kind is published; empty where the reader does not use it."""
    return str(msgspec.json.decode(value)["key_id"]).encode() if kind.struct is AccessRecord else b""
