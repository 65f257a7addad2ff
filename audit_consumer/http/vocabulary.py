"""The parameters that audit queries are made of."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from litestar.openapi.spec import OpenAPIFormat, OpenAPIType, Schema

from audit_consumer.domain.queries import DEFAULT_LIMIT, MAX_LIMIT
from audit_consumer.http.parameters import QueryParameter, Values
from shared.schemas.events import Action
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA, name_errors
from shared.schemas.validation import FieldError

MAX_DAYS = 365
MAX_HOURS = 24 * MAX_DAYS
LONGEST_CURSOR = 512

CORRELATION_ID_SCHEMA = {"pattern": "^[A-Za-z0-9._-]{1,128}$"}
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# RFC 3339, section 5.6: a date, a time and an offset. `fromisoformat` alone would take much more.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")

_Q = TypeVar("_Q")


def _name_of(field: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for error in name_errors(**{field: text}):
            raise ValueError(error.detail)
        return text

    return parse


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Action)}; got {text[:80]!r}") from None


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}; got {text[:80]!r}")
        return int(text)

    return parse


def _time(text: str) -> datetime:
    hint = "must be RFC 3339 with an offset, as 2026-01-31T12:00:00Z or …%2B01:00 (+ is written %2B in a URL)"
    if not _RFC_3339.fullmatch(text):
        raise ValueError(f"{hint}; got {text[:80]!r}")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{hint}; got {text[:80]!r}: {error}") from None


def _correlation_id(text: str) -> str:
    if not _CORRELATION_ID.fullmatch(text):
        raise ValueError(f"must be 1 to 128 of A-Z a-z 0-9 . _ -; got {text[:80]!r}")
    return text


def _cursor(text: str) -> str:
    if not 0 < len(text) <= LONGEST_CURSOR:
        raise ValueError(f"must be the `next_cursor` of a page; got {len(text)} characters")
    return text


_STRING = OpenAPIType.STRING
_NAME = Schema(type=_STRING, pattern=NAME_SCHEMA["pattern"])
_VERSION = Schema(type=_STRING, pattern=VERSION_SCHEMA["pattern"])
_MOMENT = Schema(type=_STRING, format=OpenAPIFormat.DATE_TIME)


def _number(lowest: int, highest: int, default: int) -> Schema:
    return Schema(type=OpenAPIType.INTEGER, minimum=lowest, maximum=highest, default=default)


TENANT = QueryParameter("tenant", "Only this tenant's.", _NAME, "team-a", _name_of("tenant"))
SERVICE = QueryParameter("service", "Only this service's.", _NAME, "payments", _name_of("service"))
ENV = QueryParameter("env", "Only this environment's.", _NAME, "prod", _name_of("env"))
VERSION = QueryParameter("version", "Only this version's.", _VERSION, "v2", _name_of("version"))
ACTION = QueryParameter(
    "action", "Only changes that did this.", Schema(type=_STRING, enum=list(Action)), "updated", _action
)
DAYS = QueryParameter("days", "How far back from now.", _number(1, MAX_DAYS, 7), "7", _whole(1, MAX_DAYS), default=7)
HOURS = QueryParameter(
    "hours", "How far back from now.", _number(1, MAX_HOURS, 24), "24", _whole(1, MAX_HOURS), default=24
)
START = QueryParameter("start", "The first moment.", _MOMENT, "2026-01-01T00:00:00Z", _time, required=True)
END = QueryParameter("end", "The moment after the last one.", _MOMENT, "2026-02-01T00:00:00Z", _time, required=True)
CORRELATION_ID = QueryParameter(
    "correlation_id",
    "As in X-Correlation-ID.",
    Schema(type=_STRING),
    "req-0123456789abcdef",
    _correlation_id,
    required=True,
    in_path=True,
)
LIMIT = QueryParameter(
    "limit",
    "Most events on a page.",
    _number(1, MAX_LIMIT, DEFAULT_LIMIT),
    "100",
    _whole(1, MAX_LIMIT),
    default=DEFAULT_LIMIT,
)
CURSOR = QueryParameter(
    "cursor",
    "The `next_cursor` of the page before, with the same other parameters.",
    Schema(type=_STRING),
    "WyI1ZjU3…",
    _cursor,
)
PAGING = (LIMIT, CURSOR)


def required(parameter: QueryParameter[_Q]) -> QueryParameter[_Q]:
    """The same parameter where it cannot be left out."""
    return replace(parameter, required=True)


def start_before_end(values: Values) -> FieldError | None:
    """The rule of a time range."""
    start, end = values.get(START), values.get(END)
    return FieldError("/end", "must be after start") if start and end and end <= start else None
