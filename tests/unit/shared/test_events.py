import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas.events import (
    MAX_REVISION,
    Action,
    Heartbeat,
    MalformedEvent,
    RouteChange,
    RouteChanged,
    UnknownEventType,
    UnsupportedSchema,
    decode,
    encode,
)
from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN, RouteKey
from shared.schemas.route_value import RouteState, RouteValue

CHANGE = RouteChange(
    action=Action.CREATED, service="payments", env="prod", version="v2", url="http://p", is_active=True
)
CHANGED = RouteChanged(
    event_id=UUID(int=7),
    tenant="team-a",
    revision=1,
    changes=(CHANGE,),
    changed_by="ci",
    occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    correlation_id="req-1",
)

names = st.from_regex(NAME_PATTERN)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
times = st.integers(0, 4_000_000_000_000_000).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)
keys = st.builds(RouteKey, names, names, names, st.from_regex(VERSION_PATTERN))
values = st.builds(RouteValue, texts, st.booleans())
changes = st.builds(
    RouteChange,
    action=st.sampled_from(Action),
    service=names,
    env=names,
    version=st.from_regex(VERSION_PATTERN),
    url=texts,
    is_active=st.booleans(),
    previous_url=st.none() | texts,
    previous_state=st.none() | st.sampled_from(RouteState),
)
events = st.builds(
    RouteChanged,
    event_id=st.uuids(version=4),
    tenant=names,
    revision=st.integers(1, MAX_REVISION),
    changes=st.lists(changes, min_size=1, max_size=5).map(tuple),
    changed_by=texts,
    reason=st.none() | texts,
    occurred_at=times,
    correlation_id=texts,
)


@given(events | st.builds(Heartbeat, as_of=times))
def test_event_survives_encoding_and_decoding(event: RouteChanged | Heartbeat) -> None:
    assert decode(encode(event)) == event


@given(events)
def test_unknown_fields_are_ignored(event: RouteChanged) -> None:
    wire = json.loads(encode(event)) | {"added_later": {"a": 1}}
    assert decode(json.dumps(wire).encode()) == event


@given(keys, st.none() | values, values)
def test_change_keeps_the_key_and_both_values_it_was_built_from(
    key: RouteKey, previous: RouteValue | None, value: RouteValue
) -> None:
    change = RouteChange.between(key, previous, value)
    assert (change.key(key.tenant), change.previous, change.value) == (key, previous, value)


def test_change_is_flat_on_the_wire() -> None:
    value, previous = RouteValue("http://two", is_active=True), RouteValue("http://one", is_active=False)
    change = RouteChange.between(RouteKey("team-a", "payments", "prod", "v1"), previous, value)
    assert msgspec.json.encode(change) == (
        b'{"action":"activated","service":"payments","env":"prod","version":"v1","url":"http://two","is_active":true,'
        b'"previous_url":"http://one","previous_state":"inactive"}'
    )


@pytest.mark.parametrize(
    ("previous", "value", "action"),
    [
        (None, RouteValue("http://one", is_active=False), Action.CREATED),
        (RouteValue("http://one", is_active=True), RouteValue("http://two", is_active=True), Action.UPDATED),
        (RouteValue("http://one", is_active=False), RouteValue("http://two", is_active=True), Action.ACTIVATED),
        (RouteValue("http://one", is_active=True), RouteValue("http://two", is_active=False), Action.DEACTIVATED),
    ],
)
def test_action_follows_from_both_values(previous: RouteValue | None, value: RouteValue, action: Action) -> None:
    assert Action.between(previous, value) is action


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_undecodable_event(value: bytes) -> None:
    with pytest.raises((MalformedEvent, UnsupportedSchema, UnknownEventType)):
        decode(value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b'{"schema": 2, "event_type": "heartbeat", "as_of": 5}', UnsupportedSchema),
        (b'{"schema": 1, "event_type": "tenant_renamed"}', UnknownEventType),
        (b'{"schema": 9, "event_type": "tenant_renamed"}', UnknownEventType),
        (b'{"schema": 1, "event_type": "heartbeat"}', MalformedEvent),
        (b'{"schema": 1, "event_type": "heartbeat", "as_of": "2026-01-01T00:00:00"}', MalformedEvent),
        (b"[]", MalformedEvent),
        (b'{"event_type": "route_changed", "x": ' + b"[" * 100_000, MalformedEvent),
        (None, MalformedEvent),
    ],
)
def test_undecodable_record_raises_the_error_of_its_defect(value: bytes | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode(value)


def test_changes_have_the_key_of_their_route() -> None:
    assert list(CHANGED.keyed_changes()) == [(RouteKey("team-a", "payments", "prod", "v2"), CHANGE)]


@pytest.mark.parametrize("revision", [-1, 0, MAX_REVISION + 1, 2**63, 2**64])
def test_revision_that_no_tenant_can_have_is_malformed(revision: int) -> None:
    """A reader that stored it would refuse everything that the tenant writes later as older."""
    fields = json.loads(encode(CHANGED)) | {"revision": revision}
    with pytest.raises(MalformedEvent):
        decode(json.dumps(fields).encode())
