"""The encodings of a value: in bodies of answers, in L1, and as stored text."""

from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.active_value import ATTRIBUTES, ActiveValue
from data_plane.domain.route_encoding import (
    STORED_FORMAT,
    body_of,
    decode_value,
    encode,
    encode_value,
    from_text,
    to_text,
)
from tests.fakes.data_plane_world import KEY

values = st.builds(ActiveValue, url=st.text(min_size=1))


@given(values)
def test_encoded_value_is_read_back(value: ActiveValue) -> None:
    assert decode_value(encode_value(value)) == value


@given(values, st.integers(1, 2**63))
def test_body_is_the_json_of_the_resolved_route(value: ActiveValue, revision: int) -> None:
    parts = [part.encode() for part in (KEY.tenant, KEY.service, KEY.env, KEY.version)]
    assert body_of(parts, encode_value(value), revision) == encode(KEY, value, revision)


@given(st.none() | values)
def test_stored_text_is_read_back(value: ActiveValue | None) -> None:
    assert from_text(to_text(value)) == value


def test_stored_format_is_raised_when_the_attributes_change() -> None:
    assert {1: ("url",)}[STORED_FORMAT] == ATTRIBUTES
