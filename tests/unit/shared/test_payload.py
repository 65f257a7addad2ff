from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.http.payload import accept_body, read_body
from shared.schemas.validation import InvalidInput


class PutThing(msgspec.Struct):
    url: str
    size: Annotated[int, msgspec.Meta(ge=1)] = 1
    reason: str | None = None


def test_good_body_becomes_the_struct() -> None:
    assert accept_body(b'{"url": "http://a", "size": 3}', PutThing) == PutThing("http://a", 3)


def test_every_wrong_field_is_reported_at_once() -> None:
    _, errors = read_body(b'{"size": 0, "reason": 5, "colour": "red"}', PutThing)
    assert sorted(error.pointer for error in errors) == ["/colour", "/reason", "/size", "/url"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff"])
def test_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        accept_body(body, PutThing)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_raise_nothing_but_invalid_input(body: bytes) -> None:
    value, errors = read_body(body, PutThing)
    assert (value is None) == bool(errors)
