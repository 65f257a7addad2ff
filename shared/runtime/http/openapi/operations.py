"""OpenAPI operations for parts of a request and response that handlers read and write themselves.

Handlers read bodies and query strings with `shared.runtime.http.payload`, so that every wrong field is reported at once.
Litestar then knows nothing of these parts. The classes made here, each a handler's `operation_class`, add them to the
document from the same structs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar.datastructures import ResponseHeader
from litestar.openapi.spec import Operation

from shared.runtime.http.openapi.response_headers import openapi_header


def with_body(
    body: type[msgspec.Struct],
    *,
    required: bool,
    headers: Sequence[Mapping[str, Any]] = (),
    query: type[msgspec.Struct] | None = None,
    response_headers: Mapping[int, Iterable[ResponseHeader]] | None = None,
    **examples: Any,
) -> type[Operation]:
    """An operation with this JSON body, these request headers (OpenAPI parameters) and the query struct's parameters.

    `examples`: bodies by name. `response_headers`: as in `with_response_headers`.
    """
    content = {"schema": _schema(body), "examples": {name: {"value": value} for name, value in examples.items()}}
    return _extended_operation(
        parameters=[*headers, *([] if query is None else _parameters(query))],
        request_body={"required": required, "content": {"application/json": content}},
        response_headers=response_headers or {},
    )


def with_query(query: type[msgspec.Struct]) -> type[Operation]:
    """An operation that takes the struct's fields as query parameters."""
    return _extended_operation(parameters=_parameters(query))


def with_response_headers(headers: Mapping[int, Iterable[ResponseHeader]]) -> type[Operation]:
    """An operation whose responses carry these headers, by status.

    A handler's `response_headers` reach the document for successes only; this is for the other responses.
    """
    return _extended_operation(response_headers=headers)


def _extended_operation(
    *,
    parameters: Sequence[Mapping[str, Any]] = (),
    request_body: Mapping[str, Any] | None = None,
    response_headers: Mapping[int, Iterable[ResponseHeader]] | None = None,
) -> type[Operation]:
    class ExtendedOperation(Operation):
        def to_schema(self) -> dict[str, Any]:
            schema = super().to_schema()
            _widen_unions(schema["responses"])
            for status, headers in (response_headers or {}).items():
                documented = schema["responses"][str(status)].setdefault("headers", {})
                documented.update({each.name: openapi_header(each).to_schema() for each in headers})
            if parameters:
                schema["parameters"] = [*schema.get("parameters", []), *parameters]
            return schema if request_body is None else {**schema, "requestBody": request_body}

    return ExtendedOperation


def _widen_unions(responses: Mapping[str, Any]) -> None:
    """Replace `oneOf` by `anyOf`: an empty page matches several types of a union, and Litestar documents `oneOf`."""
    for response in responses.values():
        for content in response.get("content", {}).values():
            if "oneOf" in content.get("schema", {}):
                content["schema"] = {"anyOf": content["schema"]["oneOf"]}


def _parameters(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    schema = _schema(query)
    required = schema.get("required", ())
    return [_parameter(name, each, required=name in required) for name, each in schema["properties"].items()]


def _parameter(name: str, schema: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    # An optional parameter is a field of type `X | None`, of which only X is documented: a query has no null.
    value = dict(schema["anyOf"][0] if "anyOf" in schema else schema)
    value.pop("title", None)
    described = {"description": value["description"]} if "description" in value else {}
    examples = value.pop("examples", ())
    example = {"example": examples[0]} if examples else {}
    return {"name": name, "in": "query", "required": required, **described, **example, "schema": value}


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    definitions: dict[str, dict[str, Any]] = msgspec.json.schema(struct)["$defs"]
    for each in definitions.values():
        if each.get("type") == "object":
            each["additionalProperties"] = False  # `payload` refuses unknown fields
    inlined: dict[str, Any] = _inlined(definitions[struct.__name__], definitions)
    return inlined


def _inlined(schema: Any, definitions: Mapping[str, Mapping[str, Any]]) -> Any:
    """The schema with each reference replaced by its definition, and portable. No definition refers to itself."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if isinstance(schema, str):
        return schema.replace(r"\Z", "$")  # regular expressions of JSON Schema lack \Z, and `$` matches at the end only
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        definition = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        siblings = {name: value for name, value in schema.items() if name != "$ref"}
        return {**_inlined(definition, definitions), **siblings}
    return {name: _inlined(each, definitions) for name, each in schema.items()}
