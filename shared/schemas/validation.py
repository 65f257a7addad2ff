"""Invalid input, with an error for every invalid field."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LISTED_ERRORS = 100
"""Errors beyond it are counted, not kept: an answer to a bad request must not grow with the request."""

_SUMMARIZED = 10
"""Errors in the message of an InvalidInput."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field. `pointer` is an RFC 6901 JSON Pointer into the body, or `/` and the parameter's name."""

    pointer: str
    detail: str


class FieldErrors:
    """The errors of one request: the first MAX_LISTED_ERRORS are kept, `total` counts all. False when there are none."""

    def __init__(self, *groups: "Iterable[FieldError]") -> None:
        self._listed: list[FieldError] = []
        self.total = 0
        for group in groups:
            self.extend(group)

    def add(self, pointer: str, detail: str) -> None:
        """Count an error, and keep it while there is room."""
        self.extend((FieldError(pointer, detail),))

    def extend(self, errors: "Iterable[FieldError]") -> None:
        """Count all of these errors, those included that `errors` itself has not kept."""
        listed = list(errors)
        self.total += errors.total if isinstance(errors, FieldErrors) else len(listed)
        self._listed += listed[: MAX_LISTED_ERRORS - len(self._listed)]

    def under(self, pointer: str) -> "FieldErrors":
        """The same errors, their pointers prefixed."""
        moved = FieldErrors(FieldError(pointer + each.pointer, each.detail) for each in self)
        moved.total = self.total
        return moved

    def __iter__(self) -> Iterator[FieldError]:
        return iter(self._listed)

    def __bool__(self) -> bool:
        return self.total > 0


class InvalidInput(ValueError):
    """Input that cannot be accepted. `errors`: the first MAX_LISTED_ERRORS; `total_errors`: the number of all."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        found = FieldErrors(errors)
        self.errors = tuple(found)
        self.total_errors = found.total
        first = [f"{error.pointer or 'input'} {error.detail}" for error in self.errors[:_SUMMARIZED]]
        others = self.total_errors - len(first)
        super().__init__("; ".join([*first, f"and {others} more errors"] if others else first))
