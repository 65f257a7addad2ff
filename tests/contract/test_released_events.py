"""The records of earlier releases: this release reads them, and its own records change in permitted ways only."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from audit_consumer.adapters.kafka.dead_letters import headers_of
from audit_consumer.domain.records import DeadLetter, DeadLetterReason, Record, RecordPosition
from docs.record_kinds import RECORD_KINDS, RecordKind, record_key
from docs.record_schemas import dead_letter_schema, schema_of
from docs.released_events import RELEASED
from tests.support.schema_compatibility import incompatibilities

CURRENT = {**{each.name: schema_of(each) for each in RECORD_KINDS}, "dead-letter-headers": dead_letter_schema()}
KINDS = {each.name: each for each in RECORD_KINDS}
SCHEMAS = sorted(RELEASED.glob("*/*.schema.json"))
SAMPLES = [
    (path, line) for path in sorted(RELEASED.glob("*/*.samples.jsonl")) for line in path.read_bytes().splitlines()
]


def kind_of(name: str) -> RecordKind:
    return KINDS[name.partition(".")[0]]


def test_every_kind_has_a_schema_and_samples_of_a_release() -> None:
    assert {each.name.partition(".")[0] for each in SCHEMAS} >= {"route-changed", "heartbeat", "access-key"}
    assert len(SAMPLES) >= 12


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: f"{path.parent.name}/{path.name.partition('.')[0]}")
def test_records_change_in_permitted_ways_only(path: Any) -> None:
    released = json.loads(path.read_text())
    assert incompatibilities(released, CURRENT[path.name.partition(".")[0]]) == []


@pytest.mark.parametrize(("path", "line"), SAMPLES, ids=lambda each: getattr(each, "name", "")[:20])
def test_record_of_an_earlier_release_is_read_with_all_its_values(path: Any, line: bytes) -> None:
    kind = kind_of(path.name)
    record = kind.decode(record_key(kind, line), line)
    assert isinstance(record, kind.struct)
    assert lost(json.loads(line), json.loads(msgspec.json.encode(record))) == []


def lost(released: Any, read: Any, path: str = "") -> list[str]:
    """The values of a released record that the record read from it lacks. It may have more fields."""
    if isinstance(released, dict) and isinstance(read, dict):
        return [each for name in released for each in lost(released[name], read.get(name), f"{path}/{name}")]
    if isinstance(released, list) and isinstance(read, list) and len(released) == len(read):
        return [
            each for at, pair in enumerate(zip(released, read, strict=True)) for each in lost(*pair, f"{path}/{at}")
        ]
    return [] if released == read else [path]


@pytest.mark.parametrize("kind", RECORD_KINDS, ids=lambda kind: kind.name)
def test_examples_satisfy_the_published_schema(kind: RecordKind) -> None:
    validator = jsonschema_rs.validator_for(schema_of(kind), validate_formats=True)
    for example in kind.examples:
        assert [str(each) for each in validator.iter_errors(json.loads(msgspec.json.encode(example)))] == []
    assert not validator.is_valid({**json.loads(msgspec.json.encode(kind.examples[0])), "schema": 2})


def test_dead_letters_have_the_published_headers() -> None:
    source = Record(RecordPosition("route-events", 3, 17), b"team-a", b"{", [("correlation_id", b"abc")])
    time = datetime(2026, 3, 2, tzinfo=UTC)
    headers = headers_of(DeadLetter(source, DeadLetterReason.MALFORMED, "not JSON", time, time))
    sent = {name: value.decode() for name, value in headers if name.startswith("dlq.") and value is not None}
    validator = jsonschema_rs.validator_for(dead_letter_schema(), validate_formats=True)
    assert [str(each) for each in validator.iter_errors(sent)] == []
    assert set(sent) == set(dead_letter_schema()["properties"])
