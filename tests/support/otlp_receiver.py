"""A collector for tests: takes spans by OTLP over HTTP and keeps them."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

Attributes = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another span. Ids are hexadecimal."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it came. `kind` is SERVER, CLIENT, PRODUCER, CONSUMER or INTERNAL; ids are hexadecimal."""

    resource: Attributes
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[Link, ...]
    attributes: Attributes
    has_failed: bool

    @property
    def service(self) -> str:
        """`service.name`"""
        return str(self.resource["service.name"])

    @property
    def instance(self) -> str:
        """`service.instance.id`"""
        return str(self.resource["service.instance.id"])

    def links_to(self, other: "ReceivedSpan") -> bool:
        """Whether one of the links is to that span."""
        return any((each.trace_id, each.span_id) == (other.trace_id, other.span_id) for each in self.links)


@dataclass
class OtlpReceiver:
    """Everything that was received. `payloads` are the bodies of the requests, as bytes."""

    url: str
    spans: list[ReceivedSpan] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of this trace."""
        return [each for each in self.spans if each.trace_id == trace_id]

    def linked_to(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans with a link to a span of this trace."""
        return [each for each in self.spans if any(link.trace_id == trace_id for link in each.links)]

    def take(self, body: bytes) -> None:
        """Keep the spans of one request."""
        self.payloads.append(body)
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self.spans += [_received(resource, each) for each in scope.spans]


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """A receiver on a free port of this host, in a thread, for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver = OtlpReceiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def _received(resource: Attributes, span: WireSpan) -> ReceivedSpan:
    return ReceivedSpan(
        resource,
        span.name,
        WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        tuple(Link(each.trace_id.hex(), each.span_id.hex(), _attributes(each.attributes)) for each in span.links),
        _attributes(span.attributes),
        span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _attributes(pairs: Any) -> Attributes:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in pairs}
