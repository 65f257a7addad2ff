"""The query parameters of the audit API, as structs, and their checks."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from audit_consumer.domain.queries import DEFAULT_LIMIT, MAX_LIMIT
from shared.runtime.http.payload import NAME_CHECKS, Checks
from shared.schemas.events import Action, UtcTime
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA
from shared.schemas.validation import FieldError

MAX_DAYS = 365
MAX_HOURS = 24 * MAX_DAYS
MAX_CURSOR_CHARACTERS = 512

CORRELATION_ID_PATTERN = "^[A-Za-z0-9._-]{1,128}$"
CORRELATION_ID_DESCRIPTION = "As in X-Correlation-ID."


def _parameter(description: str, example: str, schema: Mapping[str, Any] = MappingProxyType({})) -> msgspec.Meta:
    return msgspec.Meta(description=description, examples=[example], extra_json_schema=dict(schema))


_Tenant = Annotated[str, _parameter("Only changes of this tenant.", "team-a", NAME_SCHEMA)]
_Service = Annotated[str, _parameter("Only changes of this service.", "payments", NAME_SCHEMA)]
_Env = Annotated[str, _parameter("Only changes of this environment.", "prod", NAME_SCHEMA)]
_Version = Annotated[str, _parameter("Only changes of this version.", "v2", VERSION_SCHEMA)]
_Action = Annotated[Action, _parameter("Only changes with this action.", "updated", {"type": "string"})]
_Limit = Annotated[
    int, msgspec.Meta(ge=1, le=MAX_LIMIT, description="Maximum number of events on a page.", examples=[100])
]
_Cursor = Annotated[
    str, _parameter("`next_cursor` of the previous page; the other parameters stay the same.", "WyI1ZjU3…")
]


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    limit: _Limit = DEFAULT_LIMIT
    cursor: _Cursor | None = None


class RouteHistoryQuery(_Page, frozen=True, kw_only=True):
    """The parameters of one route's history."""

    tenant: _Tenant
    service: _Service
    env: _Env
    version: _Version
    action: _Action | None = None


class FilteredQuery(_Page, frozen=True, kw_only=True):
    """The parameters of a query that filters by parts of the route's key and by action."""

    tenant: _Tenant | None = None
    service: _Service | None = None
    env: _Env | None = None
    action: _Action | None = None


class RecentQuery(FilteredQuery, frozen=True, kw_only=True):
    """The parameters of a query over the last days."""

    days: Annotated[
        int, msgspec.Meta(ge=1, le=MAX_DAYS, description="Days back from now, of 24 hours each.", examples=[7])
    ] = 7


class ActionQuery(FilteredQuery, frozen=True, kw_only=True):
    """The parameters of a query for one action over the last hours."""

    action: _Action
    hours: Annotated[int, msgspec.Meta(ge=1, le=MAX_HOURS, description="Hours back from now.", examples=[24])] = 24


class TimeRangeQuery(FilteredQuery, frozen=True, kw_only=True):
    """The parameters of a query between two moments."""

    start: Annotated[UtcTime, _parameter("Start of the range, inclusive.", "2026-01-01T00:00:00Z")]
    end: Annotated[UtcTime, _parameter("End of the range, exclusive.", "2026-02-01T00:00:00Z")]


def end_after_start(values: Mapping[str, Any]) -> Iterable[FieldError]:
    """The rule of a time range, for `read_query`."""
    start, end = values.get("start"), values.get("end")
    return [FieldError("/end", "must be after start")] if start and end and end <= start else []


def correlation_id_errors(text: str) -> list[FieldError]:
    """The errors of a correlation id in a path."""
    if re.fullmatch(CORRELATION_ID_PATTERN, text):
        return []
    return [FieldError("/correlation_id", f"must be 1 to 128 of A-Z a-z 0-9 . _ -; got {text[:80]!r}")]


def _check_cursor(text: str) -> None:
    if not 0 < len(text) <= MAX_CURSOR_CHARACTERS:
        raise ValueError(f"must be the `next_cursor` of a page; got {len(text)} characters")


CHECKS: Checks = {**NAME_CHECKS, "cursor": _check_cursor}
"""For `read_query`: checks of the parameters that several of these structs have."""
