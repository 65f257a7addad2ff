"""The `Idempotency-Key` header, and recorded responses."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from litestar import MediaType, Response
from litestar.datastructures import ResponseHeader

from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from control_plane.http.common.parsing import AnyRequest
from shared.schemas.validation import FieldError

_KEY_HEADER = "Idempotency-Key"
_REPLAYED_HEADER = "Idempotency-Replayed"

IDEMPOTENCY_PARAMETERS: tuple[dict[str, Any], ...] = (
    {
        "name": _KEY_HEADER,
        "in": "header",
        "description": "A repeated request with the same key gets the recorded response for 24 hours "
        "(`Idempotency-Replayed: true`); a different request with the same key is a 422. Errors and dry runs are not "
        "recorded.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "01970a3e-8c52-7d0e-b5a4-6f3a1c9e2d47",
    },
)
"""OpenAPI parameters of an operation that accepts an idempotency key."""

REPLAYED = ResponseHeader(
    name=_REPLAYED_HEADER,
    description="`true` when this is the recorded response to an earlier request.",
    value="true",
    documentation_only=True,
)

_D = TypeVar("_D")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_idempotency_key(
    request: AnyRequest, body: bytes, make_response: Callable[[_D], RecordedResponse]
) -> tuple[IdempotencyKey[_D] | None, list[FieldError]]:
    """The request's idempotency key, None without the header.

    Method, path, query, preconditions and body identify the request: a repetition that demands something else is another
    request, and must not get the response of one whose demand was met.

    `make_response`: makes the response to record.
    """
    key = request.headers.get(_KEY_HEADER)
    if key is None:
        return None, []
    if not _KEY.fullmatch(key):
        return None, [FieldError(f"/{_KEY_HEADER}", "must be 1 to 255 printable ASCII characters without spaces")]
    request_line = f"{request.method} {request.scope['path']}?".encode() + request.scope["query_string"]
    fingerprint = hashlib.sha256(request_line + _preconditions(request) + b"\0" + body).digest()
    return IdempotencyKey(key, fingerprint, make_response), []


def _preconditions(request: AnyRequest) -> bytes:
    """The request's precondition headers. Empty without any, as in the fingerprints of earlier releases."""
    lines = (
        f"\n{name}: {value}" for name in ("If-Match", "If-None-Match") for value in request.headers.getall(name, [])
    )
    return "".join(lines).encode()


def replayed_response(recorded: RecordedResponse) -> Response[bytes]:
    """The recorded response to an earlier request, marked as such."""
    return http_response(recorded, {_REPLAYED_HEADER: "true"})


def http_response(recorded: RecordedResponse, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """The recorded response as Litestar sends it, with further headers."""
    all_headers = {**recorded.headers, **(headers or {})}
    return Response(recorded.body, status_code=recorded.status, headers=all_headers, media_type=MediaType.JSON)
