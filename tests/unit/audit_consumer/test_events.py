"""The attributes of audit events, and their order."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_consumer.domain.events import MAX_REVISION, UnstorableChange, audit_events, format_time, time_of
from shared.schemas.events import Action
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from tests.support.audit import EPOCH, audited
from tests.support.factories import a_change, a_change_set

MOMENTS = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
REVISIONS = st.integers(1, MAX_REVISION)


def test_every_change_becomes_an_event_with_actor_reason_and_previous_value() -> None:
    change_set = a_change_set(
        a_change(Action.CREATED, service="payments", url="https://a.example.com"),
        a_change(Action.DEACTIVATED, service="carts", previous_url="https://b.example.com"),
        tenant="team-a",
        revision=7,
        changed_by="eve",
        reason=None,
        correlation_id="req-1",
    )
    created, deactivated = audited(change_set)
    assert created.route == RouteKey("team-a", "payments", "prod", "v1")
    assert (created.value, created.previous) == (RouteValue("https://a.example.com", is_active=True), None)
    assert (created.revision, created.changed_by, created.reason, created.correlation_id) == (7, "eve", None, "req-1")
    assert deactivated.action is Action.DEACTIVATED
    assert not deactivated.value.is_active
    assert deactivated.previous == RouteValue("https://b.example.com", is_active=True)


def test_event_has_the_same_id_on_every_delivery() -> None:
    change_set = a_change_set(a_change(), a_change(service="carts"))
    first = [each.id for each in audited(change_set)]
    assert first == [f"{change_set.event_id}:0", f"{change_set.event_id}:1"]
    assert [each.id for each in audited(change_set, EPOCH + timedelta(days=1))] == first


@given(MOMENTS, MOMENTS)
def test_formatted_times_sort_by_time(one: datetime, other: datetime) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


@given(MOMENTS, REVISIONS)
def test_sort_key_contains_the_time_in_microseconds(time: datetime, revision: int) -> None:
    event = audited(a_change_set(occurred_at=time, revision=revision))[0]
    assert time_of(event.sort_key) == time


@given(MOMENTS, REVISIONS, REVISIONS)
def test_higher_revision_sorts_later_within_one_microsecond(time: datetime, one: int, other: int) -> None:
    keys = [
        audited(a_change_set(tenant="team-a", occurred_at=time, revision=each))[0].sort_key for each in (one, other)
    ]
    if one != other:
        assert (keys[0] < keys[1]) == (one < other)


def test_changes_of_one_set_sort_by_their_index() -> None:
    services = [f"service-{number}" for number in range(12)]
    keys = [each.sort_key for each in audited(a_change_set(*(a_change(service=each) for each in services)))]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(services)


def test_time_with_another_offset_is_converted_to_utc() -> None:
    local = datetime(2026, 1, 31, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    event = audited(a_change_set(occurred_at=local))[0]
    assert event.occurred_at == datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    assert event.occurred_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "change_set",
    [
        a_change_set(revision=MAX_REVISION + 1),
        a_change_set(occurred_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10)))),
    ],
    ids=["revision beyond 64 bits", "time before the year 1"],
)
def test_change_that_no_document_can_hold_is_unstorable(change_set: object) -> None:
    with pytest.raises(UnstorableChange):
        list(audit_events(change_set, EPOCH))  # type: ignore[arg-type]


def test_change_sets_of_the_same_revision_have_different_sort_keys() -> None:
    keys = {
        audited(a_change_set(tenant=tenant, occurred_at=EPOCH, event_id=UUID(int=number)))[0].sort_key
        for number, tenant in enumerate(["team-a", "team-b"])
    }
    assert len(keys) == 2
