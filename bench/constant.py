"""The baseline: a bare ASGI application that sends the same bytes to every request, on the same server as the services."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from shared.runtime.server import serve
from shared.runtime.settings import ServiceSettings

BODY = (
    b'{"tenant":"checkout","service":"paymentservice","env":"prod","version":"v1",'
    b'"url":"http://paymentservice-v1.checkout-prod.svc.cluster.local:50051","revision":42}'
)
START: HTTPResponseStartEvent = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())],
}
END: HTTPResponseBodyEvent = {"type": "http.response.body", "body": BODY, "more_body": False}


async def application(scope: Scope, _: Receive, send: Send) -> None:
    """Answer any HTTP request."""
    if scope["type"] == ScopeType.HTTP:
        await send(START)
        await send(END)


def create_application() -> ASGIApp:
    """The factory that the server calls."""
    return application


if __name__ == "__main__":
    serve("bench.constant:create_application", "constant", ServiceSettings())
