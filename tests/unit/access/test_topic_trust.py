"""Whether a topic of access keys is complete."""

from datetime import UTC, datetime

import pytest

from shared.runtime.access.topic_trust import TopicTrust
from shared.schemas.access import (
    COMPLETION_KEY,
    KeysComplete,
    UndecodableAccessRecord,
    decode,
    decode_completion,
    encode,
    is_key_id,
)


def a_completion(generation: int) -> KeysComplete:
    return KeysComplete(generation=generation, keys=1, as_of=datetime(2026, 1, 1, tzinfo=UTC))


def read(
    *, known: int = 0, generation: int | None = None, has_records: bool = True, has_completion: bool = False
) -> TopicTrust:
    """A topic that was read: `generation` of its completion record, `has_completion` in the record of a key."""
    trust = TopicTrust()
    trust.restart(known, has_records=has_records)
    if has_records:
        trust.note_writer(has_completion=has_completion)
    if generation is not None:
        trust.note_completion(a_completion(generation))
    return trust


@pytest.mark.parametrize(("known", "generation"), [(0, 1), (1, 1), (1, 2), (3, 9)])
@pytest.mark.parametrize("has_records", [True, False])
def test_topic_with_a_completion_record_is_complete(known: int, generation: int, has_records: bool) -> None:
    assert read(known=known, generation=generation, has_records=has_records).doubt() is None


def test_topic_of_an_earlier_generation_is_not_complete() -> None:
    doubt = read(known=3, generation=2).doubt()
    assert doubt is not None
    assert "its generation is 2, after 3" in doubt


@pytest.mark.parametrize("has_records", [True, False])
def test_topic_that_lost_its_completion_record_is_not_complete_and_the_command_is_named(has_records: bool) -> None:
    doubt = read(known=1, has_records=has_records).doubt()
    assert doubt is not None
    assert "python -m control_plane republish-keys" in doubt


def test_records_of_an_older_control_plane_are_complete_without_a_completion_record() -> None:
    assert read().doubt() is None


def test_records_of_a_control_plane_that_writes_completion_records_are_not_complete_without_one() -> None:
    assert read(has_completion=True).doubt() is not None


def test_empty_topic_is_not_complete() -> None:
    assert read(has_records=False).doubt() is not None


def test_generation_is_remembered_when_the_topic_is_read_again() -> None:
    trust = read(generation=2)
    assert trust.is_renewed
    trust.adopt()
    assert not trust.is_renewed
    trust.restart(0, has_records=True)
    assert trust.doubt() is not None
    trust.note_completion(a_completion(3))
    assert (trust.doubt(), trust.is_renewed) == (None, True)


def test_completion_record_is_no_key_for_a_reader_that_does_not_know_it() -> None:
    value = encode(a_completion(1))
    assert not is_key_id(COMPLETION_KEY.decode())
    with pytest.raises(UndecodableAccessRecord):
        decode(COMPLETION_KEY, value)
    assert decode_completion(value) == a_completion(1)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[" * 100_000, b'{"schema":1,"generation":0,"keys":0,"as_of":"2026-01-01"}']
)
def test_odd_completion_record_is_undecodable(value: bytes) -> None:
    with pytest.raises(UndecodableAccessRecord):
        decode_completion(value)
