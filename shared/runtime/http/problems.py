"""Errors as problem details (RFC 9457): the only place where an exception becomes a status."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import ExceptionHandlersMap, Send

from shared.runtime import correlation
from shared.runtime.read_limits import TooManyReads
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import MAX_LISTED_ERRORS, FieldError, InvalidInput

CONTENT_TYPE = "application/problem+json"
_URN = "urn:traffic-manager:problem:"

_log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A problem details object. `errors`: the wrong fields of an invalid request.

    At most 100 are listed, and fewer when they are long; `total_errors` counts all when some are left out.
    """

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str | None
    errors: list[FieldError] = []
    total_errors: int | None = None


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A problem type of the API. `slug`: the end of its URI. `retry_after`: seconds, sent as `Retry-After`."""

    status: int
    slug: str
    title: str
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


INVALID_INPUT = ProblemType(400, "invalid-input", "Invalid request")
DEPENDENCY_UNAVAILABLE = ProblemType(503, "dependency-unavailable", "Dependency unavailable", 1)
TOO_MANY_READS = ProblemType(429, "too-many-reads", "Read rate limit exceeded", 1)
DEADLINE_EXCEEDED = ProblemType(503, "deadline-exceeded", "Deadline exceeded", 1)
_SHARED: Mapping[type[Exception], ProblemType] = {
    InvalidInput: INVALID_INPUT,
    DependencyUnavailable: DEPENDENCY_UNAVAILABLE,
    TimeoutError: DEADLINE_EXCEEDED,
    TooManyReads: TOO_MANY_READS,
}
MAX_BODY_BYTES = 4 * 1024 * 1024
BODY_TOO_LARGE = ProblemType(413, "body-too-large", "Request body too large")
BODY_INCOMPLETE = ProblemType(400, "body-incomplete", "Request body incomplete")
_MAX_DETAIL = 2000
"""Maximum number of characters of a detail: at most 12 KB as JSON."""
_MAX_ERRORS_BYTES = 48 * 1024
"""Maximum size of the listed errors of a problem, as JSON."""
_MAX_QUOTED_PATH = 200
METHOD_NOT_ALLOWED = ProblemType(405, "http-405", "Method not allowed")
_INTERNAL = ProblemType(500, "internal-error", "Internal error")


class ProblemHandlers:
    """Litestar's exception handlers by a service's problem types, on top of the shared ones.

    An exception gets the problem type of its nearest base class.
    """

    def __init__(self, problem_types: Mapping[type[Exception], ProblemType]) -> None:
        self._problem_types = {**_SHARED, **problem_types}

    def as_map(self) -> ExceptionHandlersMap:
        """The exception handlers to pass to Litestar."""
        return {HTTPException: _from_litestar, Exception: self._from_exception}

    def _from_exception(self, request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
        known = self._problem_types
        problem_type = next((known[base] for base in type(error).__mro__ if base in known), None)
        if problem_type is None:
            _log.error("unexpected error", method=request.method, path=request.scope["path"], exc_info=error)
            return problem_response(_INTERNAL, "The service has logged the error under this correlation id.")
        if isinstance(error, DependencyUnavailable):
            # The reason is only logged: it can contain a server's address.
            _log.warning(
                "dependency unavailable", dependency=error.dependency, reason=error.why, path=request.scope["path"]
            )
            detail = f"{error.dependency} does not respond. Try again: repeating the request is safe."
            return problem_response(problem_type, detail)
        # An error's own `retry_after` takes precedence over its problem type's.
        problem_type = replace(problem_type, retry_after=getattr(error, "retry_after", problem_type.retry_after))
        errors, total = (error.errors, error.total_errors) if isinstance(error, InvalidInput) else ((), None)
        return problem_response(problem_type, str(error) or problem_type.title, errors, total)


def problem_response(
    problem_type: ProblemType, detail: str, errors: Sequence[FieldError] = (), total_errors: int | None = None
) -> Response[Problem]:
    """The response with this problem. `total_errors`: the number of errors, where `errors` are not all."""
    return Response(
        problem_of(problem_type, detail, errors, total_errors),
        status_code=problem_type.status,
        media_type=CONTENT_TYPE,
        headers=_headers(problem_type),
    )


def problem_of(
    problem_type: ProblemType, detail: str, errors: Sequence[FieldError] = (), total_errors: int | None = None
) -> Problem:
    """The problem details object, with the current correlation id, and no longer than 64 KB."""
    listed = list(_listed(errors))
    total = len(errors) if total_errors is None else total_errors
    return Problem(
        type=_URN + problem_type.slug,
        title=problem_type.title,
        status=problem_type.status,
        detail=detail[:_MAX_DETAIL],
        correlation_id=correlation.current(),
        errors=listed,
        total_errors=total if total > len(listed) else None,
    )


def _listed(errors: Sequence[FieldError]) -> Iterator[FieldError]:
    left = _MAX_ERRORS_BYTES
    for each in errors[:MAX_LISTED_ERRORS]:
        left -= len(msgspec.json.encode(each))
        if left < 0:
            return
        yield each


async def send_problem(
    send: Send,
    problem_type: ProblemType,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[FieldError] = (),
) -> None:
    """Send the same response from a layer before Litestar, with further headers."""
    body = msgspec.json.encode(problem_of(problem_type, detail, errors))
    fields = {
        "content-type": CONTENT_TYPE,
        "content-length": str(len(body)),
        **_headers(problem_type),
        **(headers or {}),
    }
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": problem_type.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _headers(problem_type: ProblemType) -> dict[str, str]:
    retry_after = problem_type.retry_after
    retry = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
    return {**problem_type.headers, **retry}


def _from_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    if isinstance(error, ValidationException):
        detail = "Some parameters are invalid."
        return problem_response(INVALID_INPUT, detail, _parameter_errors(error))
    if isinstance(error, NotFoundException):
        path = request.scope["path"][:_MAX_QUOTED_PATH]
        problem_type = ProblemType(404, "no-such-path", "Path not found")
        return problem_response(problem_type, f"This service has no path {path}. /schema lists its paths.")
    if error.status_code == BODY_TOO_LARGE.status:
        return problem_response(BODY_TOO_LARGE, f"The maximum is {MAX_BODY_BYTES} bytes. Split the request.")
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        # The caller has left; counted as a 500 it would be an error of the service.
        return problem_response(BODY_INCOMPLETE, "The connection was closed before the end of the body.")
    if isinstance(error, MethodNotAllowedException):
        detail = f"The path has no method {request.method[:_MAX_QUOTED_PATH]}. `Allow` lists the methods that it has."
        response = problem_response(METHOD_NOT_ALLOWED, detail)
        response.headers.update(error.headers or {})
        return response
    title = error.detail or "Request refused"
    response = problem_response(ProblemType(error.status_code, f"http-{error.status_code}", title), title)
    response.headers.update(error.headers or {})
    return response


def _parameter_errors(error: ValidationException) -> tuple[FieldError, ...]:
    found = error.extra if isinstance(error.extra, list) else []
    return tuple(
        FieldError(f"/{each.get('key', '').replace('.', '/')}", str(each.get("message", "is invalid")))
        for each in found
        if isinstance(each, dict)
    )
