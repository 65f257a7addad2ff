"""Bad input, told whole: every wrong field at once, each with what is wrong with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field. `pointer` is an RFC 6901 JSON Pointer into the body, or `/` and the parameter's name."""

    pointer: str
    detail: str


class InvalidInput(ValueError):
    """Input that can never be accepted as it is. Carries one FieldError for each wrong field."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer or 'input'} {error.detail}" for error in errors))
        self.errors = errors
