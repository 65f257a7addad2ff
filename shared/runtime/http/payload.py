"""JSON bodies and query strings into structs, with every wrong field reported at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import msgspec

from shared.schemas.validation import FieldError, InvalidInput

_S = TypeVar("_S", bound=msgspec.Struct)

Checks: TypeAlias = Mapping[str, Callable[[Any], object]]
"""By field, what raises a ValueError that says what is wrong with a value of the right type."""

_NO_CHECKS: Checks = MappingProxyType({})


def read_body(body: bytes, into: type[_S], checks: Checks = _NO_CHECKS) -> tuple[_S | None, list[FieldError]]:
    """The struct in a JSON body, or None and what is wrong with each field. Unknown fields are wrong."""
    fields, errors = _object(body)
    return (None, errors) if errors else _read(fields, into, checks, strict=True)


def read_list_body(
    body: bytes, into: type[_S], listed: str, most: Callable[[int], object]
) -> tuple[_S | None, list[Any], list[FieldError]]:
    """The struct in a JSON body and the list that stands beside its fields under the name `listed`.

    `most` gets the list's length before anything else is looked at, and raises when it is too much. The elements are as
    decoded: read each with `read_element`.
    """
    fields, errors = _object(body)
    if errors:
        return None, [], errors
    elements = fields.pop(listed, None)
    if isinstance(elements, list):
        most(len(elements))
    else:
        wrong = "is required" if elements is None else f"must be an array; got {type(elements).__name__}"
        errors, elements = [FieldError(f"/{listed}", wrong)], []
    value, further = _read(fields, into, _NO_CHECKS, strict=True, also=listed)
    return value, elements, errors + further


def read_element(
    element: object, into: type[_S], pointer: str, checks: Checks = _NO_CHECKS
) -> tuple[_S | None, list[FieldError]]:
    """The struct in an element of a list that stands at `pointer`, or None and what is wrong with each field."""
    if not isinstance(element, dict):
        return None, [FieldError(pointer, f"must be a JSON object; got {type(element).__name__}")]
    value, errors = _read(element, into, checks, strict=True)
    return value, [FieldError(pointer + each.pointer, each.detail) for each in errors]


def _object(body: bytes) -> tuple[dict[str, Any], list[FieldError]]:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return {}, [FieldError("", f"the body must be JSON: {error}")]
    if not isinstance(fields, dict):
        return {}, [FieldError("", f"the body must be a JSON object; got {type(fields).__name__}")]
    return fields, []


def read_query(query: Iterable[tuple[str, str]], into: type[_S]) -> tuple[_S | None, list[FieldError]]:
    """The struct in a query string's parameters, or None and what is wrong with each.

    Unknown ones are wrong, and those given twice. A field of type `X | None` is one that may be left out; the text
    "null" is not None.
    """
    given = list(query)
    times = Counter(name for name, _ in given)
    repeated = [FieldError(f"/{name}", f"is given {count} times") for name, count in times.items() if count > 1]
    nulls = {each.encode_name: _refuse_null for each in msgspec.structs.fields(into)}
    value, errors = _read(dict(given), into, nulls, strict=False)
    return (None, repeated + errors) if repeated else (value, errors)


def _read(
    fields: Mapping[str, Any], into: type[_S], checks: Checks, *, strict: bool, also: str | None = None
) -> tuple[_S | None, list[FieldError]]:
    errors = _unknown(fields, into, also) + _wrong(fields, into, checks, strict=strict)
    return (None, errors) if errors else (msgspec.convert(fields, into, strict=strict), [])


def _unknown(fields: Mapping[str, Any], into: type[msgspec.Struct], also: str | None) -> list[FieldError]:
    known = [each.encode_name for each in msgspec.structs.fields(into)] + ([also] if also else [])
    return [
        FieldError(f"/{name}", f"is no field here; known are {', '.join(known)}")
        for name in fields
        if name not in known
    ]


def _wrong(fields: Mapping[str, Any], into: type[msgspec.Struct], checks: Checks, *, strict: bool) -> list[FieldError]:
    errors = []
    for each in msgspec.structs.fields(into):
        if each.encode_name not in fields:
            if each.required:
                errors.append(FieldError(f"/{each.encode_name}", "is required"))
            continue
        try:
            value = msgspec.convert(fields[each.encode_name], each.type, strict=strict)
            checks.get(each.encode_name, _accept)(value)
        except ValueError as error:  # msgspec's and the checks'
            errors.append(FieldError(f"/{each.encode_name}", str(error)))
    return errors


def _refuse_null(value: object) -> None:
    if value is None:  # msgspec's reading of the text "null"
        raise ValueError("must not be null; leave it out")


def _accept(_: object) -> None:
    """No further check."""


def accept_body(body: bytes, into: type[_S]) -> _S:
    """The struct in a JSON body. Raises InvalidInput with every wrong field."""
    value, errors = read_body(body, into)
    if value is None:
        raise InvalidInput(tuple(errors))
    return value
