"""OpenAPI for what handlers read themselves, so that they can report every wrong field at once."""

from typing import Any

import msgspec
from litestar.openapi.spec import Operation

_IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the route must have, or `*`: it must be there. Otherwise 412.",
    "schema": {"type": "string"},
    "example": '"42"',
}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`*`: the route must never have been created. Otherwise 412.",
    "schema": {"type": "string", "const": "*"},
    "example": "*",
}
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same request gives the recorded answer for 24 hours (`Idempotency-Replayed: "
    "true`); with another request it is a 422. Refusals and plans are not recorded.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "01970a3e-8c52-7d0e-b5a4-6f3a1c9e2d47",
}

CONDITIONAL = (_IF_MATCH, _IF_NONE_MATCH)
REPEATABLE = (_IDEMPOTENCY_KEY,)


def change_of(
    body: type[msgspec.Struct],
    *,
    required: bool,
    headers: tuple[dict[str, Any], ...] = (),
    query: type[msgspec.Struct] | None = None,
    **examples: Any,
) -> type[Operation]:
    """An operation that takes this JSON body. `examples` by name."""
    asked = [] if query is None else _parameters(query)
    content = {"schema": _schema(body), "examples": {name: {"value": value} for name, value in examples.items()}}
    request_body = {"required": required, "content": {"application/json": content}}
    return _extended(request_body=request_body, parameters=[*headers, *asked])


def query_of(query: type[msgspec.Struct]) -> type[Operation]:
    """An operation that takes the struct's fields as query parameters."""
    return _extended(parameters=_parameters(query))


def _parameters(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    schema = _schema(query)
    required = schema.get("required", ())
    return [_parameter(name, each, required=name in required) for name, each in schema["properties"].items()]


def _parameter(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    # "or null" is how a struct says that a parameter may be left out.
    example_response = schema["anyOf"][0] if "anyOf" in schema else schema
    described = {"description": example_response["description"]} if "description" in example_response else {}
    return {"name": name, "in": "query", "required": required, **described, "schema": example_response}


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = msgspec.json.schema(struct)["$defs"]
    definitions = {name: {**each, "additionalProperties": False} for name, each in found.items()}  # as they are read
    inlined: dict[str, Any] = _inlined(definitions[struct.__name__], definitions)
    return inlined


def _inlined(schema: Any, definitions: dict[str, dict[str, Any]]) -> Any:
    """The schema with each reference replaced by what it names; none of them refers to itself."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items()}


def _extended(*, parameters: list[dict[str, Any]], request_body: dict[str, Any] | None = None) -> type[Operation]:
    class Extended(Operation):
        def to_schema(self) -> dict[str, Any]:
            schema = super().to_schema()
            _widen_unions(schema["responses"])
            schema["parameters"] = [*schema.get("parameters", []), *parameters]
            return schema if request_body is None else {**schema, "requestBody": request_body}

    return Extended


def _widen_unions(responses: dict[str, Any]) -> None:
    """An answer that may be of several types may be of more than one: an empty page is. Litestar says `oneOf`."""
    for response in responses.values():
        for content in response.get("content", {}).values():
            if "oneOf" in content.get("schema", {}):
                content["schema"] = {"anyOf": content["schema"]["oneOf"]}
