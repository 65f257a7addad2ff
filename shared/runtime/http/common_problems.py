"""The problems that any operation can answer with, put into the OpenAPI document in one place."""

from collections.abc import Sequence

from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    PathItem,
    Reference,
    Schema,
)

from shared.runtime.http.problems import BODY_TOO_LARGE, CONTENT_TYPE, Problem, ProblemType
from shared.runtime.http.request_limits import DEADLINE, HEADERS_TOO_LARGE

_PROBLEM = OpenAPIMediaType(schema=Reference(ref=f"#/components/schemas/{Problem.__name__}"))
_ANY = (HEADERS_TOO_LARGE, DEADLINE)
_RETRY_AFTER = OpenAPIHeader(
    schema=Schema(type=OpenAPIType.INTEGER, minimum=0), description="Seconds to wait before trying again."
)


def document_common_problems(document: OpenAPI, on_writes: Sequence[ProblemType] = ()) -> None:
    """Add them, and those of the service's writes, to each operation of the API that has none of that status itself.

    They refer to the schema that an operation's own problems brought in; without any there is nothing to refer to.
    """
    if Problem.__name__ not in document.components.schemas:
        return
    for path, item in (document.paths or {}).items():
        if path.startswith("/api/"):
            for operation in _operations(item):
                of_writes = () if operation is item.get else (BODY_TOO_LARGE, *on_writes)
                for kind in (*_ANY, *of_writes):
                    _document(operation, kind)


def _operations(item: PathItem) -> list[Operation]:
    every = (item.get, item.put, item.post, item.delete, item.patch)
    return [each for each in every if each is not None]


def _document(operation: Operation, kind: ProblemType) -> None:
    responses = operation.responses if operation.responses is not None else {}
    operation.responses = responses
    response = OpenAPIResponse(description=kind.title, content={CONTENT_TYPE: _PROBLEM})
    if kind.retry_after is not None:
        response.headers = {"Retry-After": _RETRY_AFTER}
    responses.setdefault(str(kind.status), response)
