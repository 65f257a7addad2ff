"""Invalid input, with an error for every invalid field."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field. `pointer` is an RFC 6901 JSON Pointer into the body, or `/` and the parameter's name."""

    pointer: str
    detail: str


class InvalidInput(ValueError):
    """Input that cannot be accepted, with one FieldError for each invalid field."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer or 'input'} {error.detail}" for error in errors))
        self.errors = errors
