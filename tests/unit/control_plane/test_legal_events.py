"""Every value that the API accepts makes an event that Kafka takes."""

import string
from datetime import UTC, datetime

import msgspec
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from control_plane.domain.changes import Attribution, Outcome
from control_plane.domain.plans import Plan
from control_plane.domain.route_url import MAX_LENGTH, RefusedUrl, UrlRules
from control_plane.domain.routes import Route
from control_plane.http.common.request_fields import Reason, check_reason
from control_plane.service.change_events import encode_event, event_headers
from shared.runtime import correlation
from shared.schemas.access import Subject
from shared.schemas.events import MAX_CHANGES, MAX_REVISION, RouteChange, decode
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from shared.schemas.topics import MAX_EVENT_BYTES, MAX_RECORD_BYTES

NAMES = string.ascii_lowercase + string.digits + "._-"
VERSIONS = string.ascii_letters + string.digits + "._+-"
SUBJECTS = string.ascii_letters + string.digits + "@._+:/|-"
CORRELATION_IDS = string.ascii_letters + string.digits + "._-"
NOW = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def _accepted_in_urls(character: str) -> bool:
    try:
        return UrlRules().accept(f"http://a/{character}") == f"http://a/{character}"
    except RefusedUrl:
        return False


IN_URLS = [character for character in map(chr, range(0x400)) if _accepted_in_urls(character)]

LONGEST_IN_JSON = max(IN_URLS, key=lambda character: len(msgspec.json.encode(character)))


def _url(character: str) -> str:
    return UrlRules().accept("https://a.example/".ljust(MAX_LENGTH, character))


@given(
    name=st.sampled_from(NAMES).map(lambda character: f"a{character * 61}a"),
    version=st.sampled_from(VERSIONS),
    url=st.sampled_from(IN_URLS).map(_url),
    previous=st.sampled_from(IN_URLS).map(_url),
    subject=st.sampled_from(SUBJECTS).map(lambda character: character * 128),
    correlation_id=st.sampled_from(CORRELATION_IDS).map(lambda character: character * 128),
    reason=st.none() | st.characters(exclude_characters="\0", codec="utf-8").map(lambda character: character * 500),
)
@example("a" * 63, "v", _url(LONGEST_IN_JSON), _url(LONGEST_IN_JSON), "a" * 128, "c" * 128, "\x01" * 500)
@example("a" * 63, "v", _url("'"), _url("&"), "/" * 128, "c" * 128, "\U0010ffff" * 500)
@settings(max_examples=30, deadline=None)
def test_largest_change_set_of_legal_values_fits_into_one_record(
    name: str, version: str, url: str, previous: str, subject: str, correlation_id: str, reason: str | None
) -> None:
    check_reason(reason)
    by = Attribution(
        msgspec.convert(subject, Subject), msgspec.convert(reason, Reason | None), correlation.accept(correlation_id)
    )
    keys = [RouteKey(name, name, name, f"v{version * 58}{number:04}") for number in range(MAX_CHANGES)]
    values = RouteValue(previous, True), RouteValue(url, False)
    outcomes = [
        Outcome(Route(key, values[1], 2, NOW, NOW), RouteChange.between(key, values[0], values[1])) for key in keys
    ]
    event, payload = encode_event(Plan(name, MAX_REVISION - 1, tuple(outcomes)).as_committed(), by, NOW)
    assert decode(payload) == event
    assert by.correlation_id == correlation_id
    assert len(payload) <= MAX_EVENT_BYTES
    headers = [(header, value.encode()) for header, value in event_headers(by).items()]
    batch = BatchBuilder(16_384, 0)
    batch.append(timestamp=None, key=name.encode(), value=payload, headers=[*headers, ("traceparent", b"0" * 55)])
    assert len(batch._build()) <= MAX_RECORD_BYTES  # noqa: SLF001 - the record as the producer sends it


def test_largest_event_that_is_not_refused_fits_into_one_record() -> None:
    batch = BatchBuilder(16_384, 0)
    headers = [("correlation_id", b"c" * 128), ("traceparent", b"0" * 55)]
    batch.append(timestamp=None, key=b"t" * 63, value=b"x" * MAX_EVENT_BYTES, headers=headers)
    assert len(batch._build()) <= MAX_RECORD_BYTES  # noqa: SLF001 - the record as the producer sends it
