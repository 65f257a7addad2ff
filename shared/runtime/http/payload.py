"""JSON bodies and query strings as msgspec structs, with every wrong field reported at once; and single revisions."""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, get_args

import msgspec

from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError, FieldErrors, InvalidInput

_S = TypeVar("_S", bound=msgspec.Struct)

Checks: TypeAlias = Mapping[str, Callable[[Any], object]]
"""By field: a function that raises ValueError, with the reason, for an invalid value of the right type."""

Rule: TypeAlias = Callable[[Mapping[str, Any]], Iterable[FieldError]]
"""Returns the errors between several fields, given the values of the fields that are valid by themselves."""


def _name_check(field: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        for error in name_errors(**{field: text}):
            raise ValueError(error.detail)

    return check


NAME_CHECKS: Checks = {field: _name_check(field) for field in ("tenant", "service", "env", "version")}
"""Checks of the parts of a route's key."""

REVISION_PATTERN = "^[0-9]{1,18}$"
"""Every number with at most 18 digits fits PostgreSQL's bigint."""

_REVISION = re.compile(REVISION_PATTERN)
_NO_CHECKS: Checks = MappingProxyType({})
_MAX_QUOTED = 80
"""Maximum number of characters of a caller's text in an error."""
_MAX_REASON = 300
"""Maximum number of characters of a decoder's message in an error."""
MAX_VALUES = 50_000
"""Maximum number of values in a body that is decoded as a whole: building them blocks the event loop."""

_MOMENT = (
    "must be RFC 3339 with an offset, such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00%2B01:00 "
    "(+ is written %2B in a URL)"
)


def read_body(body: bytes, into: type[_S], checks: Checks = _NO_CHECKS) -> tuple[_S | None, FieldErrors]:
    """The struct in a JSON body, or None and the errors of its fields. Unknown fields are errors."""
    fields, errors = _object(body)
    return (None, errors) if errors else read_fields(fields, into, checks)


def accept_body(body: bytes, into: type[_S]) -> _S:
    """The struct in a JSON body. Raises InvalidInput with every wrong field."""
    value, errors = read_body(body, into)
    if value is None:
        raise InvalidInput(errors)
    return value


def read_value(value: object, into: type[_S]) -> tuple[_S | None, FieldErrors]:
    """The struct in a decoded JSON value, or None and the errors of its fields."""
    if not isinstance(value, dict):
        return None, FieldErrors([FieldError("", f"must be a JSON object; got {type(value).__name__}")])
    return read_fields(value, into, _NO_CHECKS)


def read_query(
    query: Iterable[tuple[str, str]], into: type[_S], checks: Checks = _NO_CHECKS, rule: Rule | None = None
) -> tuple[_S | None, FieldErrors]:
    """The struct in a query string's parameters, or None and the errors of the parameters.

    Unknown and repeated parameters are errors. A field of type `X | None` may be left out; the text "null" is not None.
    `rule` gets the values of the valid parameters by name.
    """
    given = list(query)
    known = [each.encode_name for each in _fields_of(into)]
    errors = FieldErrors(
        FieldError(f"/{name[:_MAX_QUOTED]}", f"is given {count} times; give it once")
        for name, count in Counter(name for name, _ in given).items()
        if count > 1
    )
    errors.extend(_unknown(dict(given), known, "is not a parameter of this operation"))
    values, wrong = _values(dict(given), into, checks, _query_value)
    errors.extend(wrong)
    if rule is not None:
        errors.extend(rule(values))
    return (None, errors) if errors else (msgspec.convert(dict(given), into, strict=False), errors)


def decode_json(body: bytes) -> Any:
    """Any JSON value; a byte-order mark before it is ignored (RFC 8259, section 8.1).

    Raises InvalidInput for malformed or deeply nested JSON, and for more values than can be decoded in a few milliseconds.
    """
    body = without_bom(body)
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise InvalidInput([FieldError("", f"the body must have at most {MAX_VALUES} values; split the request")])
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:  # msgspec's errors, and that of JSON nested too deeply
        raise not_json(error) from None


def without_bom(body: bytes) -> bytes:
    """The body after its byte-order mark, if it has one."""
    return body.removeprefix(codecs.BOM_UTF8)


def not_json(error: Exception) -> InvalidInput:
    """The error for a body that a decoder refused."""
    return InvalidInput([FieldError("", f"the body must be JSON: {str(error)[:_MAX_REASON]}")])


def parse_revision(text: str) -> int:
    """The revision in a path, header or query parameter. Raises ValueError with the reason."""
    # Not `match`: the pattern's `$` also matches before a final line feed.
    if not _REVISION.fullmatch(text):
        raise ValueError(f"must be a revision, such as 42; got {text[:_MAX_QUOTED]!r}")
    return int(text)


def _object(body: bytes) -> tuple[dict[str, Any], FieldErrors]:
    try:
        fields = decode_json(body)
    except InvalidInput as error:
        return {}, FieldErrors(error.errors)
    if not isinstance(fields, dict):
        return {}, FieldErrors([FieldError("", f"the body must be a JSON object; got {type(fields).__name__}")])
    return fields, FieldErrors()


def read_fields(
    fields: Mapping[str, Any], into: type[_S], checks: Checks, *further_known: str
) -> tuple[_S | None, FieldErrors]:
    """The struct in the fields of a decoded JSON object, or None and their errors."""
    known = [each.encode_name for each in _fields_of(into)] + list(further_known)
    errors = FieldErrors(_unknown(fields, known, "is not a field of this object"))
    errors.extend(_values(fields, into, checks, _body_value)[1])
    return (None, errors) if errors else (msgspec.convert(fields, into), errors)


@cache
def _fields_of(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


def _unknown(fields: Iterable[str], known: list[str], detail: str) -> Iterable[FieldError]:
    listed = ", ".join(known) or "none"
    return (FieldError(f"/{name[:_MAX_QUOTED]}", f"{detail}; known: {listed}") for name in fields if name not in known)


def _values(
    fields: Mapping[str, Any], into: type[msgspec.Struct], checks: Checks, convert: Callable[[Any, Any], Any]
) -> tuple[dict[str, Any], list[FieldError]]:
    """The values of the valid fields, and the errors of the others. `convert`: converts a value to a type."""
    values: dict[str, Any] = {}
    errors = []
    for each in _fields_of(into):
        name = each.encode_name
        if name in fields:
            try:
                value = convert(fields[name], each.type)
                checks.get(name, _accept)(value)
            except ValueError as error:  # msgspec's and the checks'
                errors.append(FieldError(f"/{name}", str(error)[:_MAX_REASON]))
            else:
                values[name] = value
        elif each.required:
            errors.append(FieldError(f"/{name}", "is required"))
    return values, errors


def _body_value(value: Any, into: Any) -> Any:
    converted = msgspec.convert(value, into)
    if isinstance(converted, datetime):
        _refuse_outside_utc(converted)
    return converted


def _query_value(text: str, into: Any) -> Any:
    if _is_moment(into):
        return _moment(text, into)
    value = msgspec.convert(text, into, strict=False)
    if value is None:  # msgspec's reading of the text "null"
        raise ValueError("must not be null; leave it out")
    return value


def _is_moment(kind: Any) -> bool:
    return kind is datetime or any(_is_moment(each) for each in get_args(kind))


def _moment(text: str, into: Any) -> datetime:
    """Strict: otherwise msgspec reads a number as seconds since 1970. Refuses a moment without an equivalent in UTC."""
    try:
        moment: datetime = msgspec.convert(text, into)
        _refuse_outside_utc(moment)
    except ValueError:
        raise ValueError(f"{_MOMENT}; got {text[:_MAX_QUOTED]!r}") from None
    return moment


def _refuse_outside_utc(moment: datetime) -> None:
    """Raises ValueError for a moment whose year in UTC is before 1 or after 9999: no arithmetic can be done with it."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 in UTC") from None


def _accept(_: object) -> None:
    """No further check."""
