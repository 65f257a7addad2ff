"""Query parameters: one table of what each may be, for reading them and for the OpenAPI document."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from litestar.openapi.spec import Operation, Parameter, Schema

from shared.schemas.validation import FieldError, InvalidInput

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class QueryParameter(Generic[_T]):
    """One parameter. `parse` makes its value from the text given, or raises ValueError with what it must be."""

    name: str
    description: str
    schema: Schema
    example: str
    parse: Callable[[str], _T]
    required: bool = False
    default: _T | None = None
    in_path: bool = False


class Values:
    """The parameters of one request, parsed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, parameter: QueryParameter[_T]) -> _T | None:
        """Its value; its default, or None, when it was not given."""
        value: _T | None = self._values.get(parameter.name, parameter.default)
        return value

    def need(self, parameter: QueryParameter[_T]) -> _T:
        """The value of one that is required or has a default."""
        value = self.get(parameter)
        if value is None:
            raise LookupError(f"{parameter.name} is neither required nor has it a default")
        return value


Rule = Callable[[Values], FieldError | None]
"""What must hold between several parameters, each of which may be missing."""


def read(given: Iterable[tuple[str, str]], known: Sequence[QueryParameter[Any]], rules: Sequence[Rule] = ()) -> Values:
    """The values of the given parameters. Raises InvalidInput with everything that is wrong with any of them."""
    texts = list(given)
    by_name = {each.name: each for each in known}
    values: dict[str, Any] = {}
    errors = [*_unknown(texts, by_name), *_repeated(texts), *_missing(texts, known)]
    for name, text in texts:
        if name in by_name:
            try:
                values[name] = by_name[name].parse(text)
            except ValueError as error:
                errors.append(FieldError(f"/{name}", str(error)))
    errors += [broken for rule in rules if (broken := rule(Values(values)))]
    if errors:
        raise InvalidInput(tuple(errors))
    return Values(values)


def _unknown(given: Sequence[tuple[str, str]], known: Mapping[str, object]) -> list[FieldError]:
    listed = ", ".join(known)
    names = dict.fromkeys(name for name, _ in given if name not in known)
    return [FieldError(f"/{name[:80]}", f"is no parameter here; known are {listed}") for name in names]


def _repeated(given: Sequence[tuple[str, str]]) -> list[FieldError]:
    times = Counter(name for name, _ in given)
    return [FieldError(f"/{name[:80]}", f"is given {count} times") for name, count in times.items() if count > 1]


def _missing(given: Sequence[tuple[str, str]], known: Sequence[QueryParameter[Any]]) -> list[FieldError]:
    names = {name for name, _ in given}
    return [FieldError(f"/{each.name}", "is required") for each in known if each.required and each.name not in names]


def documenting(known: Sequence[QueryParameter[Any]]) -> type[Operation]:
    """The class of an OpenAPI operation that lists these parameters after those that Litestar found by itself."""

    @dataclass  # anew: a dataclass calls __post_init__ only where it saw one
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *(_documented(each) for each in known if not each.in_path)]

    return Documented


def _documented(parameter: QueryParameter[Any]) -> Parameter:
    return Parameter(
        name=parameter.name,
        param_in="query",
        schema=parameter.schema,
        description=parameter.description,
        required=parameter.required,
        example=parameter.example,
    )
