"""OpenAPI for what handlers read themselves, so that they can report every wrong field at once."""

from typing import Any

import msgspec
from litestar.openapi.spec import Operation

from shared.runtime.access.open_access import ACTOR_HEADER

_ACTOR: dict[str, Any] = {
    "name": ACTOR_HEADER,
    "in": "header",
    "description": "Who asks, where access is off (`TM_ACCESS=off`). Otherwise the credential says so.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9@._+:/-]{1,128}$"},
    "example": "ci-bot",
}


def change_of(body: type[msgspec.Struct], *, required: bool, **examples: Any) -> type[Operation]:
    """An operation that takes this JSON body, and says who asks for it. `examples` by name."""
    content = {"schema": _schema(body), "examples": {name: {"value": value} for name, value in examples.items()}}
    request_body = {"required": required, "content": {"application/json": content}}
    return _extended(request_body=request_body, parameters=[_ACTOR])


def query_of(query: type[msgspec.Struct]) -> type[Operation]:
    """An operation that takes the struct's fields as query parameters."""
    return _extended(parameters=[_parameter(name, each) for name, each in _schema(query)["properties"].items()])


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    # "or null" is how a struct says that a parameter may be left out.
    shown = schema["anyOf"][0] if "anyOf" in schema else schema
    described = {"description": shown["description"]} if "description" in shown else {}
    return {"name": name, "in": "query", "required": False, **described, "schema": shown}


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    definitions: dict[str, dict[str, Any]] = msgspec.json.schema(struct)["$defs"]
    return definitions[struct.__name__]


def _extended(*, parameters: list[dict[str, Any]], request_body: dict[str, Any] | None = None) -> type[Operation]:
    class Extended(Operation):
        def to_schema(self) -> dict[str, Any]:
            schema = super().to_schema()
            schema["parameters"] = [*schema.get("parameters", []), *parameters]
            return schema if request_body is None else {**schema, "requestBody": request_body}

    return Extended
