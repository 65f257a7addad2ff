"""The OpenAPI documents of all services: a reader finds everything about an operation, and every example is a valid one."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from shared.runtime.service import Service
from tests.support.service_apps import PUBLIC, litestar_of, shared_app_of

METHODS = ("get", "put", "post", "delete", "patch")
WITHOUT_CONTENT = {"204", "304"}
OPAQUE = {"cursor"}
"""Parameters whose values are made by the service: an invented example would be refused."""
Document = dict[str, Any]


def document_of(service: Service) -> Document:
    schema = litestar_of(shared_app_of(service)[1]).openapi_schema.to_schema()
    document: Document = msgspec.json.decode(msgspec.json.encode(schema))
    return document


DOCUMENTS = {service: document_of(service) for service in Service}
OPERATIONS = [
    (service, f"{method.upper()} {path}", operation)
    for service, document in DOCUMENTS.items()
    for path, item in document["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]
NAMES = [f"{service}: {name}" for service, name, _ in OPERATIONS]
every_operation = pytest.mark.parametrize(("service", "name", "operation"), OPERATIONS, ids=NAMES)


def is_public(name: str) -> bool:
    return name.split(" ")[1].startswith(PUBLIC)


def examples_in(part: Mapping[str, Any]) -> list[Any]:
    """The examples of a parameter or a content."""
    one = [part["example"]] if "example" in part else []
    return [*one, *(each["value"] for each in part.get("examples", {}).values())]


def contents_of(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The content of the request and of each response: what it is, its media type, and its description."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            yield status, media_type, content


@pytest.mark.parametrize("operation", [each for _, _, each in OPERATIONS], ids=NAMES)
def test_operation_is_explained(operation: Document) -> None:
    assert operation["tags"]
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert len(operation["description"]) > 15
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert examples_in(parameter) or parameter["name"] in OPAQUE, parameter["name"]
    for status, response in operation["responses"].items():
        assert response["description"], status
        for header, described in response.get("headers", {}).items():
            assert described["description"], header


@every_operation
def test_operation_states_its_credential_and_its_errors(service: Service, name: str, operation: Document) -> None:
    security = operation.get("security", DOCUMENTS[service]["security"])
    if is_public(name):
        assert security == [{}]
        return
    assert security == [{"bearer": []}]
    assert {"400", "401", "403", "415", "429", "431", "503"} <= set(operation["responses"])
    for status, response in operation["responses"].items():
        sent = set(response["headers"])
        assert "X-Correlation-ID" in sent
        assert ("Retry-After" in sent) == (status in {"429", "503"} or (status == "409" and service == "data_plane"))
        assert ("WWW-Authenticate" in sent) == (status == "401")
        if status >= "400":
            assert set(response["content"]) == {"application/problem+json"}, status


@every_operation
def test_every_body_has_valid_examples(service: Service, name: str, operation: Document) -> None:
    components = DOCUMENTS[service]["components"]
    for what, media_type, content in contents_of(operation):
        examples = examples_in(content)
        assert examples, (what, media_type)
        if "json" in media_type:
            validator = jsonschema_rs.validator_for({**content["schema"], "components": components})
            for example in examples:
                assert [str(each) for each in validator.iter_errors(example)] == [], what
                assert what == "request" or "status" not in example or is_public(name) or example["status"] == int(what)
    for status, response in operation["responses"].items():
        assert "content" in response or status in WITHOUT_CONTENT, status


@pytest.mark.parametrize(("service", "operation"), [(service, each) for service, _, each in OPERATIONS], ids=NAMES)
def test_examples_of_parameters_are_valid(service: Service, operation: Document) -> None:
    for parameter in operation.get("parameters", ()):
        validator = jsonschema_rs.validator_for({**parameter["schema"], "components": DOCUMENTS[service]["components"]})
        for example in examples_in(parameter):
            assert validator.is_valid(example), (parameter["name"], example)


@pytest.mark.parametrize(
    ("name", "status", "header"),
    [
        ("GET /api/v1/resolve/{tenant}/{service}/{env}/{version}", "409", "X-Revision-Reached"),
        ("GET /api/v1/watch/{tenant}", "410", "X-Oldest-Revision"),
    ],
)
def test_headers_of_problems_are_documented(name: str, status: str, header: str) -> None:
    (operation,) = (each for _, each_name, each in OPERATIONS if each_name == name)
    assert header in operation["responses"][status]["headers"]


@pytest.mark.parametrize("service", Service)
def test_ids_of_operations_are_unique(service: Service) -> None:
    ids = [operation["operationId"] for each, _, operation in OPERATIONS if each is service]
    assert len(set(ids)) == len(ids)
