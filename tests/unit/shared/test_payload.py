from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.http.payload import accept_body, read_body, read_query
from shared.schemas.events import Action, UtcTime
from shared.schemas.validation import FieldError, InvalidInput


class PutItem(msgspec.Struct):
    url: str
    size: Annotated[int, msgspec.Meta(ge=1)] = 1
    reason: str | None = None


def test_good_body_becomes_the_struct() -> None:
    assert accept_body(b'{"url": "http://a", "size": 3}', PutItem) == PutItem("http://a", 3)


def test_every_wrong_field_is_reported_at_once() -> None:
    _, errors = read_body(b'{"size": 0, "reason": 5, "colour": "red"}', PutItem)
    assert sorted(error.pointer for error in errors) == ["/colour", "/reason", "/size", "/url"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff"])
def test_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        accept_body(body, PutItem)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_raise_nothing_but_invalid_input(body: bytes) -> None:
    value, errors = read_body(body, PutItem)
    assert (value is None) == bool(errors)


class ItemQuery(msgspec.Struct, kw_only=True):
    first: Annotated[int, msgspec.Meta(ge=0, examples=["7"])] = 0
    last: int | None = None
    name: str | None = None
    action: Action | None = None
    since: UtcTime | None = None


def _refuse_upper_case(text: str) -> None:
    if text != text.lower():
        raise ValueError("must be lower case")


def _first_not_after_last(values: Mapping[str, Any]) -> list[FieldError]:
    first, last = values.get("first", 0), values.get("last")
    return [FieldError("/last", "must not be below first")] if last is not None and last < first else []


def test_query_parameters_become_the_struct() -> None:
    given = [("first", "2"), ("name", "null"), ("since", "2026-01-01T02:00:00+02:00")]
    query, errors = read_query(given, ItemQuery)
    assert (query, list(errors)) == (ItemQuery(first=2, name="null", since=datetime(2026, 1, 1, tzinfo=UTC)), [])


def test_every_wrong_query_parameter_is_reported_at_once() -> None:
    given = [("first", "-1"), ("colour", "red"), ("name", "A"), ("last", "x"), ("action", "null"), ("last", "3")]
    query, errors = read_query(given, ItemQuery, {"name": _refuse_upper_case})
    assert query is None
    assert sorted(each.pointer for each in errors) == ["/action", "/colour", "/first", "/last", "/name"]


def test_rule_between_parameters_is_checked_although_another_parameter_is_wrong() -> None:
    given = [("first", "2"), ("last", "1"), ("colour", "red")]
    _, errors = read_query(given, ItemQuery, rule=_first_not_after_last)
    assert [each.pointer for each in errors] == ["/colour", "/last"]


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "1767225600", "0001-01-01T00:00:00+10:00"])
def test_moment_without_an_offset_or_outside_utc_is_refused(text: str) -> None:
    _, errors = read_query([("since", text)], ItemQuery)
    assert [each.pointer for each in errors] == ["/since"]
