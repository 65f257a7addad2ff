"""Reading requests. The helpers return errors instead of raising them, so that every error is reported at once."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from litestar import Request

from control_plane.domain.changes import Attribution
from shared.runtime import correlation
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.payload import NAME_CHECKS, Rule, parse_revision, read_query
from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError, FieldErrors, InvalidInput

AnyRequest = Request[Any, Any, Any]
_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)


def attribution_of(request: AnyRequest, reason: str | None) -> Attribution:
    """Attributes a change to the subject of the caller's credential."""
    return Attribution(principal_of(request).subject, reason, correlation.current() or correlation.generate())


def accepted(value: _T | None, *errors: Iterable[FieldError]) -> _T:
    """The value. Raises InvalidInput with all errors, if there are any."""
    found = FieldErrors(*errors)
    if value is None or found:
        raise InvalidInput(found)
    return value


def accept_tenant(tenant: str) -> str:
    """The tenant's name in the path. Raises InvalidInput."""
    return accepted(tenant, name_errors(tenant=tenant))


def read_parameters(
    request: AnyRequest,
    into: type[_S],
    *,
    decode_cursor: Callable[[str], object] | None = None,
    rule: Rule | None = None,
) -> tuple[_S | None, FieldErrors]:
    """The query parameters, or None and their errors. `decode_cursor`: raises InvalidCursor."""
    checks = NAME_CHECKS if decode_cursor is None else {**NAME_CHECKS, "cursor": decode_cursor}
    return read_query(request.query_params.multi_items(), into, checks, rule)


def read_revision(text: str) -> tuple[int, list[FieldError]]:
    """The revision in the path, or 0 and its errors."""
    try:
        return parse_revision(text), []
    except ValueError as error:
        return 0, [FieldError("/revision", str(error))]
