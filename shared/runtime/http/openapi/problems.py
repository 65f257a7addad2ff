"""Problem details in the OpenAPI document."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import (
    Example,
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    PathItem,
    Reference,
)

from shared.runtime import correlation
from shared.runtime.http.problems import (
    BODY_TOO_LARGE,
    CONTENT_TYPE,
    DEADLINE_EXCEEDED,
    INVALID_INPUT,
    TOO_MANY_READS,
    Problem,
    ProblemType,
    problem_of,
)
from shared.runtime.http.request_limits import HEADERS_TOO_LARGE
from shared.runtime.http.request_syntax import UNSUPPORTED_ENCODING
from shared.schemas.validation import FieldError

_OF_ANY_REQUEST = (INVALID_INPUT, HEADERS_TOO_LARGE, UNSUPPORTED_ENCODING, DEADLINE_EXCEEDED)

_SCHEMA = Reference(ref=f"#/components/schemas/{Problem.__name__}")
_EXAMPLE_ERROR = FieldError("/limit", "must be at most 1000")


def problem_responses(
    *problem_types: ProblemType, body: type[Problem] = Problem, **members: Any
) -> dict[int, ResponseSpec]:
    """The documented responses of a handler for these problems, by status.

    `body`: the struct they are sent as. `members`: what its example has besides the members of every problem.
    """
    return {
        each.status: ResponseSpec(
            data_container=body,
            description=each.title,
            media_type=CONTENT_TYPE,
            generate_examples=False,
            examples=[_example(each, members)],
        )
        for each in problem_types
    }


def _example(problem_type: ProblemType, members: Mapping[str, Any] = MappingProxyType({})) -> Example:
    errors = (_EXAMPLE_ERROR,) if problem_type is INVALID_INPUT else ()
    problem = problem_of(problem_type, f"{problem_type.title}.", errors)
    value = {
        **msgspec.to_builtins(problem),
        "correlation_id": correlation.EXAMPLE,
        **msgspec.to_builtins(dict(members)),
    }
    return Example(id=problem_type.slug, summary=problem_type.title, value=value)


def document_common_problems(document: OpenAPI, write_problem_types: Sequence[ProblemType] = ()) -> None:
    """Add the problems of any request, and those of any write, to each operation that documents no such status.

    They refer to the schema of `Problem`, which the handlers' own problems bring in. A document without it is left alone.
    """
    if Problem.__name__ not in document.components.schemas:
        return
    for path, item in (document.paths or {}).items():
        if path.startswith("/api/"):
            for operation in _operations(item):
                of_method = (TOO_MANY_READS,) if operation is item.get else (BODY_TOO_LARGE, *write_problem_types)
                for problem_type in (*_OF_ANY_REQUEST, *of_method):
                    _document(operation, problem_type)


def _operations(item: PathItem) -> list[Operation]:
    methods = (item.get, item.put, item.post, item.delete, item.patch)
    return [each for each in methods if each is not None]


def _document(operation: Operation, problem_type: ProblemType) -> None:
    responses = operation.responses if operation.responses is not None else {}
    operation.responses = responses
    content = OpenAPIMediaType(schema=_SCHEMA, examples={problem_type.slug: _example(problem_type)})
    response = OpenAPIResponse(description=problem_type.title, content={CONTENT_TYPE: content})
    responses.setdefault(str(problem_type.status), response)
