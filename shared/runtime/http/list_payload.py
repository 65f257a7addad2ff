"""JSON bodies with a long array: decoded without ever building values that the API does not take.

A body of 4 MB can hold a million values, and building them as dicts and lists would block the event loop for a second.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from shared.runtime.http.payload import Checks, decode_json, not_json, read_fields, read_value, without_bom
from shared.schemas.validation import FieldError, FieldErrors, InvalidInput

_S = TypeVar("_S", bound=msgspec.Struct)
_E = TypeVar("_E", bound=msgspec.Struct)

MAX_OPTIONS_BYTES = 64 * 1024
"""Maximum size of a body without its array."""
MAX_LISTED_VALUES = 200_000
"""An array with more values is decoded as valid structs or not at all: its first error is then the only one reported."""


class Elements(Generic[_E]):
    """The elements of a body's array, valid or not. Iteration reads them; `errors` then has the errors of the others."""

    def __init__(self, pointer: str, into: type[_E], elements: Sequence[_E | msgspec.Raw] = ()) -> None:
        self._pointer = pointer
        self._into = into
        self._elements = elements
        self.errors = FieldErrors()

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[tuple[int, _E]]:
        """The valid elements, each with its index."""
        for index, element in enumerate(self._elements):
            value = self._read(index, element) if isinstance(element, msgspec.Raw) else element
            if value is not None:
                yield index, value

    def _read(self, index: int, element: msgspec.Raw) -> _E | None:
        value, errors = read_value(decode_json(bytes(element)), self._into)
        self.errors.extend(errors.under(f"{self._pointer}/{index}"))
        return value


def read_list_body(
    body: bytes,
    into: type[_S],
    list_field: str,
    element: type[_E],
    check_length: Callable[[int], object],
    checks: Checks,
) -> tuple[_S | None, Elements[_E], FieldErrors]:
    """The struct in a JSON body, and the body's further field `list_field`, an array of `element`.

    `element` must forbid unknown fields. `check_length` gets the array's length before any element is read, and raises
    when it is too long.
    """
    none = Elements(f"/{list_field}", element)
    try:
        body = without_bom(body)
        array = getattr(_decode(body, _array_only(list_field)), list_field)
        fields = _fields_beside(body, list_field, array)
    except InvalidInput as error:
        return None, none, FieldErrors(error.errors)
    elements, errors = _read_array(array, list_field, element)
    check_length(len(elements))
    value, further = read_fields(fields, into, checks, list_field)
    errors.extend(further)
    return value, elements, errors


@cache
def _array_only(list_field: str) -> "type[msgspec.Struct]":
    """A struct of this field alone, undecoded; decoding it skips every other field."""
    return msgspec.defstruct("ArrayOnly", [(list_field, msgspec.Raw, msgspec.Raw(b""))])


def _fields_beside(body: bytes, list_field: str, array: msgspec.Raw) -> dict[str, Any]:
    if len(body) - len(bytes(array)) > MAX_OPTIONS_BYTES:
        detail = f"the body must have at most {MAX_OPTIONS_BYTES} bytes besides {list_field}, which is given once"
        raise InvalidInput([FieldError("", detail)])
    given = _decode(body, dict[str, msgspec.Raw])
    return {name: decode_json(bytes(raw)) for name, raw in given.items() if name != list_field}


def _read_array(array: msgspec.Raw, list_field: str, element: type[_E]) -> tuple[Elements[_E], FieldErrors]:
    pointer, text = f"/{list_field}", bytes(array)
    none = Elements(pointer, element)
    if text in (b"", b"null"):
        return none, FieldErrors([FieldError(pointer, "is required")])
    if not text.startswith(b"["):
        return none, FieldErrors([FieldError(pointer, "must be an array")])
    try:
        return Elements(pointer, element, msgspec.json.decode(text, type=list[element])), FieldErrors()  # type: ignore[valid-type]
    except (ValueError, RecursionError) as error:
        if sum(map(text.count, (b",", b"[", b"{"))) > MAX_LISTED_VALUES:
            return none, FieldErrors([FieldError(pointer, f"has an invalid element: {error}")])
    return Elements(pointer, element, _decode(text, list[msgspec.Raw])), FieldErrors()


def _decode(body: bytes, into: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=into)
    except (ValueError, RecursionError) as error:
        raise not_json(error) from None
