"""Bodies that are no valid request cost little, and none of them is an error of the service."""

from datetime import datetime

import msgspec
import pytest

from shared.runtime.http.list_payload import MAX_LISTED_VALUES, MAX_OPTIONS_BYTES, Elements, read_list_body
from shared.runtime.http.payload import MAX_VALUES, read_body
from shared.runtime.http.problems import INVALID_INPUT, problem_of
from shared.schemas.validation import MAX_LISTED_ERRORS, FieldError, FieldErrors, InvalidInput


class Item(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int = 1


class Options(msgspec.Struct):
    reason: str | None = None
    until: datetime | None = None


def read_items(body: bytes) -> tuple[Options | None, list[tuple[int, Item]], FieldErrors]:
    """The options, the valid items by index, and all errors."""
    elements: Elements[Item]
    options, elements, errors = read_list_body(body, Options, "items", Item, lambda _: None, {})
    items = list(elements)
    errors.extend(elements.errors)
    return options, items, errors


@pytest.mark.parametrize("levels", [1_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"reason":', b'{"items":[{"name":'])
def test_deeply_nested_json_is_invalid_input(opening: bytes, levels: int) -> None:
    for body in (opening * levels, b'{"items":' + opening * levels, b'{"reason":' + opening * levels):
        assert read_body(body, Options)[1]
        assert read_items(body)[2]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+10:00"])
def test_moment_outside_utc_in_a_body_is_refused(moment: str) -> None:
    _, errors = read_body(b'{"until":"%b"}' % moment.encode(), Options)
    assert [each.pointer for each in errors] == ["/until"]


def test_byte_order_mark_is_ignored() -> None:
    assert read_body(b'\xef\xbb\xbf{"reason":"a"}', Options)[0] == Options("a")
    assert read_items(b'\xef\xbb\xbf{"items":[{"name":"a"}]}')[1] == [(0, Item("a"))]


def test_a_hundred_errors_are_listed_and_all_are_counted() -> None:
    fields = b",".join(b'"f%d":1' % number for number in range(5_000))
    _, errors = read_body(b"{" + fields + b"}", Options)
    assert (len(list(errors)), errors.total) == (MAX_LISTED_ERRORS, 5_000)
    with pytest.raises(InvalidInput, match="and 4990 more errors") as raised:
        raise InvalidInput(errors)
    assert (len(raised.value.errors), raised.value.total_errors) == (MAX_LISTED_ERRORS, 5_000)


def test_problem_is_smaller_than_64_kilobytes_whatever_its_errors_say() -> None:
    errors = tuple(FieldError("/" + "\x01" * 80, "\x01" * 300) for _ in range(MAX_LISTED_ERRORS))
    problem = problem_of(INVALID_INPUT, "\x01" * 100_000, errors, total_errors=7_000)
    assert len(msgspec.json.encode(problem)) < 64 * 1024
    assert len(problem.errors) < MAX_LISTED_ERRORS
    assert problem.total_errors == 7_000


def test_text_of_the_caller_is_cut_in_an_error() -> None:
    class Choice(msgspec.Struct):
        op: msgspec.UnsetType | bool

    _, errors = read_body(b'{"op":"%b"}' % (b"x" * 1_000_000), Choice)
    assert all(len(each.detail) <= 300 for each in errors)


def test_body_with_too_many_values_is_refused_before_they_are_built() -> None:
    body = b'{"reason":[' + b"[]," * MAX_VALUES + b"0]}"
    _, errors = read_body(body, Options)
    assert [each.detail for each in errors] == [f"the body must have at most {MAX_VALUES} values; split the request"]


def test_array_with_too_many_values_reports_its_first_invalid_element_only() -> None:
    body = b'{"items":[{"name":"a"},' + b"0," * MAX_LISTED_VALUES + b"0]}"
    _, items, errors = read_items(body)
    assert (items, errors.total) == ([], 1)
    assert "[1]" in next(iter(errors)).detail


def test_valid_array_is_read_although_its_texts_look_like_many_values() -> None:
    name = b"," * (MAX_LISTED_VALUES + 1)
    _, items, errors = read_items(b'{"items":[{"name":"' + name + b'"}]}')
    assert (len(items), errors.total) == (1, 0)


def test_every_error_of_every_element_is_counted() -> None:
    body = b'{"items":[' + b'{"a":1},' * 300 + b'{"name":"b","size":2}],"colour":1}'
    _, items, errors = read_items(body)
    assert items == [(300, Item("b", 2))]
    assert errors.total == 2 * 300 + 1
    assert [each.pointer for each in errors][:3] == ["/colour", "/items/0/a", "/items/0/name"]


def test_length_is_checked_before_any_element_is_read() -> None:
    class TooLong(Exception):
        pass

    def check(length: int) -> None:
        if length > 3:
            raise TooLong

    for element in (b'{"name":"a"},', b'{"a":1},'):
        with pytest.raises(TooLong):
            read_list_body(b'{"items":[' + element * 3 + b'{"name":"a"}]}', Options, "items", Item, check, {})


@pytest.mark.parametrize(
    "body",
    [
        b'{"items":[],"' + b"x" * MAX_OPTIONS_BYTES + b'":1}',
        b'{"items":[' + b" " * MAX_OPTIONS_BYTES + b'],"items":[]}',
        b"{" + b",".join(b'"%d":1' % number for number in range(10_000)) + b',"items":[]}',
    ],
)
def test_body_is_limited_beside_its_array(body: bytes) -> None:
    _, _, errors = read_items(body)
    assert str(MAX_OPTIONS_BYTES) in next(iter(errors)).detail


@pytest.mark.parametrize(("items", "detail"), [(b"null", "is required"), (b"{}", "must be an array")])
def test_field_that_is_no_array_is_an_error(items: bytes, detail: str) -> None:
    _, _, errors = read_items(b'{"items":' + items + b"}")
    assert list(errors) == [FieldError("/items", detail)]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"items":[{]}', b'{"items":[}', b'"\xff"'])
def test_malformed_list_body_is_invalid_input(body: bytes) -> None:
    assert read_items(body)[2]
