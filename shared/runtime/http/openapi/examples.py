"""Examples in the OpenAPI document, as Litestar would not write them."""

from collections.abc import Iterator

import msgspec
from litestar.openapi.spec import Example, OpenAPI, OpenAPIResponse, Operation, Parameter


def refine_examples(document: OpenAPI) -> None:
    """State single examples of parameters as such, and keep the nulls in the examples of responses."""
    for operation in _operations(document):
        for parameter in operation.parameters or ():
            if isinstance(parameter, Parameter):
                _state_single_example(parameter)
        for response in (operation.responses or {}).values():
            if isinstance(response, OpenAPIResponse):
                _keep_nulls(response)


def _state_single_example(parameter: Parameter) -> None:
    # Of `examples`, pages show a list with generated names.
    examples = list((parameter.examples or {}).values())
    if len(examples) == 1 and isinstance(examples[0], Example):
        parameter.example, parameter.examples = examples[0].value, None


def _keep_nulls(response: OpenAPIResponse) -> None:
    # Litestar leaves the nulls out of the dicts that it finds; it does not look into encoded JSON.
    for content in (response.content or {}).values():
        for example in (content.examples or {}).values():
            if isinstance(example, Example) and not isinstance(example.value, msgspec.Raw):
                example.value = msgspec.Raw(msgspec.json.encode(example.value))


def _operations(document: OpenAPI) -> Iterator[Operation]:
    for item in (document.paths or {}).values():
        methods = (item.get, item.put, item.post, item.delete, item.patch)
        yield from (each for each in methods if each is not None)
