import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas.events import MalformedEvent, UnsupportedSchema
from shared.schemas.resolver_status import PartitionStatus, ResolverStatus, decode_status, encode_status

times = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
partitions = st.builds(
    PartitionStatus,
    partition=st.integers(0, 63),
    next_offset=st.integers(0, 2**53),
    as_of=st.none() | times,
)
statuses = st.builds(
    ResolverStatus,
    instance=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    version=st.text(st.characters(codec="utf-8"), max_size=20),
    started_at=times,
    partitions=st.lists(partitions, max_size=8).map(tuple),
)
KNOWN = {
    "schema": 1,
    "instance": "resolver-1-1b9c0e",
    "version": "0.1.0",
    "started_at": "2026-03-01T06:00:00Z",
    "partitions": [{"partition": 3, "next_offset": 42, "as_of": "2026-03-02T16:05:12Z"}],
}


def as_json(**changed: object) -> bytes:
    return json.dumps({**KNOWN, **changed}).encode()


@given(statuses)
def test_status_survives_encoding_and_decoding(status: ResolverStatus) -> None:
    assert decode_status(encode_status(status)) == status


def test_status_is_encoded_as_documented_json() -> None:
    assert decode_status(as_json()) == ResolverStatus(
        instance="resolver-1-1b9c0e",
        version="0.1.0",
        started_at=datetime(2026, 3, 1, 6, tzinfo=UTC),
        partitions=(PartitionStatus(partition=3, next_offset=42, as_of=datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC)),),
    )


def test_unknown_fields_are_ignored() -> None:
    assert decode_status(as_json(zone="eu-1")) == decode_status(as_json())


def test_other_schema_version_is_rejected() -> None:
    with pytest.raises(UnsupportedSchema, match="schema 2"):
        decode_status(as_json(schema=2, partitions="3:42"))


@pytest.mark.parametrize(
    "value",
    [b"", b"not json", b"[]", b"{}", as_json(instance=""), as_json(partitions=[{"partition": -1, "next_offset": 0}])],
)
def test_record_that_is_not_a_status_is_malformed(value: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_status(value)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_decode_or_raise_only_documented_errors(value: bytes) -> None:
    with suppress(MalformedEvent, UnsupportedSchema):
        decode_status(value)
