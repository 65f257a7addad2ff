"""Spans of L1 hits: few, whatever callers sample."""

import pytest
from opentelemetry.trace import SpanKind

from data_plane.http.fast_path.hit_spans import HIT_RATIO, MAX_CALLER_SPANS_PER_SECOND, HitSpans
from shared.runtime.clock import LocalTime
from shared.runtime.tracing.otel_settings import OtelSettings
from tests.fakes.data_plane_world import KEY, World
from tests.support.asgi import Request, response_messages
from tests.support.fast_path_oracle import access_for, encoded_headers, fast_path_only, path_of
from tests.support.recorded_spans import NOT_SAMPLED, SAMPLED, TRACE_ID, RecordedSpans, trace_id_of
from tests.support.recorded_spans import spans as spans

NAME = "GET /api/v1/resolve/{tenant}/{service}/{env}/{version}"
NO_RANDOM_SPANS = OtelSettings(endpoint="http://memory", ratio=0)
EXPORT = OtelSettings(endpoint="http://memory", ratio=0.01)


class Resolver:
    """A fast path over an instance that has one active route, and one that was deactivated."""

    def __init__(self, otel: OtelSettings) -> None:
        self.world = World()
        self._instance = self.world.instance()
        self._app = fast_path_only(self._instance, access_for(KEY.tenant, self.world.clock), otel)

    async def open(self) -> "Resolver":
        await self._instance.core.applier.apply([self.world.database.commit(KEY, "https://v1")])
        return self

    async def hit(self, *traceparents: str) -> int:
        """The status of one request for the route."""
        headers = encoded_headers([("traceparent", each) for each in traceparents])
        start, _ = await response_messages(self._app, Request(path_of(KEY), headers=headers))
        return int(start["status"])


async def test_hit_is_a_span_in_the_trace_that_its_caller_samples(spans: RecordedSpans) -> None:
    resolver = await Resolver(NO_RANDOM_SPANS).open()
    assert await resolver.hit(SAMPLED) == 200
    span = spans.one(NAME)
    assert (span.kind, trace_id_of(span)) == (SpanKind.SERVER, TRACE_ID)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": NAME.removeprefix("GET "),
        "http.response.status_code": 200,
        "tm.cache.layer": "l1",
        "url.scheme": "http",
    }


@pytest.mark.parametrize("traceparent", [NOT_SAMPLED, SAMPLED.replace("-01", "-0x"), "0" * 55, "1" * 55, ""])
async def test_hit_without_a_sampled_trace_has_no_span(spans: RecordedSpans, traceparent: str) -> None:
    resolver = await Resolver(NO_RANDOM_SPANS).open()
    for _ in range(5):
        await resolver.hit(traceparent)
    assert spans.all() == ()


async def test_caller_that_samples_every_request_gets_a_limited_number_of_spans(spans: RecordedSpans) -> None:
    resolver = await Resolver(NO_RANDOM_SPANS).open()
    for _ in range(3 * MAX_CALLER_SPANS_PER_SECOND):
        assert await resolver.hit(SAMPLED) == 200
    assert len(spans.all()) == MAX_CALLER_SPANS_PER_SECOND
    resolver.world.clock.advance(1)
    await resolver.hit(SAMPLED)
    assert len(spans.all()) == MAX_CALLER_SPANS_PER_SECOND + 1


@pytest.mark.usefixtures("spans")
async def test_one_of_a_thousand_other_hits_begins_a_trace() -> None:
    chosen = HitSpans(OtelSettings(endpoint="http://memory", ratio=1))
    assert 900 < mean_draw(chosen) < 1_100
    assert chosen.begin({"headers": [], "scheme": "http"}, LocalTime(1)) is not None
    assert chosen.begin({"headers": [(b"traceparent", NOT_SAMPLED.encode())], "scheme": "http"}, LocalTime(1)) is None


def mean_draw(chosen: HitSpans) -> float:
    """The mean number of hits from one with a span to the next; its standard error is 1 %."""
    draws = 10_000
    return sum(chosen._draw() for _ in range(draws)) / draws  # noqa: SLF001 - requests would take minutes


@pytest.mark.usefixtures("spans")
async def test_sampling_callers_do_not_change_the_share_of_other_hits() -> None:
    chosen = HitSpans(OtelSettings(endpoint="http://memory", ratio=1))
    chosen.hits_until_next = 7
    chosen.note_caller(SAMPLED.encode())
    assert chosen.hits_until_next <= 0
    request = {"headers": [(b"traceparent", SAMPLED.encode())], "scheme": "http"}
    assert chosen.begin(request, LocalTime(1)) is not None
    assert chosen.hits_until_next == 7


@pytest.mark.usefixtures("spans")
async def test_expected_caller_whose_request_was_no_hit_gives_its_span_to_no_other() -> None:
    chosen = HitSpans(EXPORT)
    chosen.note_caller(SAMPLED.encode())
    assert chosen.begin({"headers": [], "scheme": "http"}, LocalTime(1)) is None
    assert chosen.hits_until_next > 0


@pytest.mark.parametrize("otel", [OtelSettings(), OtelSettings(endpoint="http://memory", sampler="always_off")])
async def test_without_export_no_hit_is_looked_at(spans: RecordedSpans, otel: OtelSettings) -> None:
    resolver = await Resolver(otel).open()
    await resolver.hit(SAMPLED)
    assert spans.all() == ()
    assert HitSpans(otel).hits_until_next == float("inf")


def test_share_of_hits_is_never_higher_than_the_sampler_s_ratio() -> None:
    seldom = HitSpans(OtelSettings(endpoint="http://memory", ratio=HIT_RATIO / 10))
    assert 9_000 < mean_draw(seldom) < 11_000
