"""Errors as RFC 9457 problem details: the one place where an exception becomes a status."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.types import ExceptionHandlersMap, Send

from shared.runtime import correlation
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import FieldError, InvalidInput

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:traffic-manager:problem:"

_log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A problem details object. `errors` lists every wrong field of a 400."""

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str | None
    errors: list[FieldError] = []


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What the callers of a service see of one exception type. `retry_after` in seconds."""

    status: int
    slug: str
    title: str
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


SHARED_PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    InvalidInput: ProblemType(400, "invalid-input", "The request is not valid"),
    DependencyUnavailable: ProblemType(
        503, "dependency-unavailable", "A server behind this service does not answer", 1
    ),
    TimeoutError: ProblemType(503, "deadline-exceeded", "The request took longer than its deadline", 1),
}
MAX_BODY_BYTES = 4 * 1024 * 1024
BODY_TOO_LARGE = ProblemType(413, "body-too-large", "The request's body is too large")
_INTERNAL = ProblemType(500, "internal-error", "Something went wrong inside the service")


class Problems:
    """A service's table of exception types, on top of the shared one; the nearest base class decides."""

    def __init__(self, problem_types: Mapping[type[Exception], ProblemType]) -> None:
        self._kinds = {**SHARED_PROBLEM_TYPES, **problem_types}

    def handlers(self) -> ExceptionHandlersMap:
        """The exception handlers to hand to Litestar."""
        return {HTTPException: _from_litestar, Exception: self._from_exception}

    def _from_exception(self, request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
        kind = next((self._kinds[base] for base in type(error).__mro__ if base in self._kinds), None)
        if kind is None:
            _log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
            return respond(_INTERNAL, "The service has logged what happened under this correlation id.")
        if isinstance(error, DependencyUnavailable):
            # Why stays inside: it can hold the address of a server.
            _log.warning("could not answer", dependency=error.dependency, why=error.why, path=request.url.path)
            return respond(kind, f"{error.dependency} does not answer. Try again soon: repeating a request is safe.")
        # An error that knows when to come back says so; its kind's figure is for those that do not.
        kind = replace(kind, retry_after=getattr(error, "retry_after", kind.retry_after))
        return respond(kind, str(error) or kind.title, errors=error.errors if isinstance(error, InvalidInput) else ())


def respond(kind: ProblemType, detail: str, errors: tuple[FieldError, ...] = ()) -> Response[Problem]:
    """The response that tells a caller of a problem."""
    problem = problem_of(kind, detail, errors)
    return Response(problem, status_code=kind.status, media_type=CONTENT_TYPE, headers=headers_of(kind))


def problem_of(kind: ProblemType, detail: str, errors: tuple[FieldError, ...] = ()) -> Problem:
    """The problem under the correlation id at hand."""
    return Problem(
        type=_TYPE + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=detail,
        correlation_id=correlation.current(),
        errors=list(errors),
    )


def headers_of(kind: ProblemType) -> dict[str, str]:
    """What the answer carries beside its content type."""
    retry = {} if kind.retry_after is None else {"Retry-After": str(math.ceil(kind.retry_after))}
    return {**kind.headers, **retry}


async def send_problem(send: Send, kind: ProblemType, detail: str, headers: Mapping[str, str] | None = None) -> None:
    """The same response, from a layer before Litestar; `headers` come on top."""
    body = msgspec.json.encode(problem_of(kind, detail))
    fields = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **headers_of(kind), **(headers or {})}
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": kind.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _from_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    if isinstance(error, ValidationException):
        return respond(SHARED_PROBLEM_TYPES[InvalidInput], "Some parameters are wrong.", _parameter_errors(error))
    if isinstance(error, NotFoundException):
        kind = ProblemType(404, "no-such-path", "There is nothing at this path")
        return respond(kind, f"{request.url.path} is no path of this service; /schema lists them all.")
    if error.status_code == BODY_TOO_LARGE.status:
        return respond(BODY_TOO_LARGE, f"A body has at most {MAX_BODY_BYTES} bytes. Send less at once.")
    title = error.detail or "The request was refused"
    response = respond(ProblemType(error.status_code, f"http-{error.status_code}", title), title)
    response.headers.update(error.headers or {})
    return response


def _parameter_errors(error: ValidationException) -> tuple[FieldError, ...]:
    found = error.extra if isinstance(error.extra, list) else []
    return tuple(
        FieldError(f"/{each.get('key', '').replace('.', '/')}", str(each.get("message", "is not valid")))
        for each in found
        if isinstance(each, dict)
    )
