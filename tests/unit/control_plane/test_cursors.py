"""Page cursors of the control API's lists."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.routes import RoutePosition
from control_plane.http.common.cursors import (
    InvalidCursor,
    decode_key_id,
    decode_revision,
    decode_route,
    decode_tenant,
    encode_key_id,
    encode_revision,
    encode_route,
    encode_tenant,
    next_cursor,
)
from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN

names = st.from_regex(NAME_PATTERN, fullmatch=True)
versions = st.from_regex(VERSION_PATTERN, fullmatch=True)


@given(st.builds(RoutePosition, service=names, env=names, version=versions))
def test_route_cursor_decodes_to_its_route(position: RoutePosition) -> None:
    assert decode_route(encode_route(position)) == position


@given(names)
def test_tenant_cursor_decodes_to_its_tenant(name: str) -> None:
    assert decode_tenant(encode_tenant(name)) == name


@given(st.integers(0, 10**18 - 1))
def test_revision_cursor_decodes_to_its_revision(revision: int) -> None:
    assert decode_revision(encode_revision(revision)) == revision


def test_key_cursor_decodes_to_its_key_id() -> None:
    assert decode_key_id(encode_key_id("7jP2s9Xw4KbM")) == "7jP2s9Xw4KbM"


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@given(st.text() | st.text().map(_encoded) | st.just(_encoded("a:b")) | st.just(_encoded("a:b:c:d")))
def test_arbitrary_text_is_refused_or_decodes_to_a_valid_route(text: str) -> None:
    try:
        position = decode_route(text)
    except InvalidCursor:
        return
    assert decode_route(encode_route(position)) == position


def test_route_cursor_is_refused_as_a_cursor_of_tenants() -> None:
    with pytest.raises(InvalidCursor, match="next_cursor"):
        decode_tenant(encode_route(RoutePosition("a", "b", "c")))


@pytest.mark.parametrize(("items", "expected"), [(["a"], None), (["a", "b"], None), (["a", "b", "c"], "b")])
def test_next_cursor_is_that_of_the_last_item_on_the_page_when_items_are_left(
    items: list[str], expected: str | None
) -> None:
    assert next_cursor(items, 2, lambda name: name) == expected
