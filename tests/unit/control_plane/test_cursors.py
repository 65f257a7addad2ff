"""Cursors of the lists."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.routes import RoutePosition
from control_plane.http.common import cursors
from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN

names = st.from_regex(NAME_PATTERN, fullmatch=True)
versions = st.from_regex(VERSION_PATTERN, fullmatch=True)


@given(st.builds(RoutePosition, service=names, env=names, version=versions))
def test_a_cursor_names_the_route_it_was_made_from(position: RoutePosition) -> None:
    assert cursors.route_position(cursors.after_route(position)) == position


@given(names)
def test_a_cursor_names_the_tenant_it_was_made_from(name: str) -> None:
    assert cursors.tenant_name(cursors.after_tenant(name)) == name


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@given(st.text() | st.text().map(_encoded) | st.just(_encoded("a:b")) | st.just(_encoded("a:b:c:d")))
def test_anything_else_is_refused_or_well_formed(text: str) -> None:
    try:
        position = cursors.route_position(text)
    except cursors.BrokenCursor:
        return
    assert cursors.route_position(cursors.after_route(position)) == position


def test_a_routes_cursor_is_none_of_tenants() -> None:
    with pytest.raises(cursors.BrokenCursor, match="next_cursor"):
        cursors.tenant_name(cursors.after_route(RoutePosition("a", "b", "c")))
