"""Headers of responses to changes, and responses in the OpenAPI document."""

from collections.abc import Callable
from typing import Any, Union

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from control_plane.domain.plans import Plan
from control_plane.domain.requests import RecordedResponse
from control_plane.http.common.idempotency import http_response, replayed_response

ROUTE_ETAG = ResponseHeader(
    name="ETag", description="The route's revision, in quotes.", value='"42"', documentation_only=True
)
TENANT_ETAG = ResponseHeader(
    name="ETag", description="The tenant's revision, in quotes.", value='"42"', documentation_only=True
)
TENANT_REVISION = ResponseHeader(
    name="X-Revision",
    description="The tenant's revision. Send it to a resolver as `X-Min-Revision` to read this change.",
    value="42",
    documentation_only=True,
)


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


def change_headers(etag_revision: int, tenant_revision: int) -> dict[str, str]:
    """The headers of a response to a change."""
    return {"ETag": etag(etag_revision), TENANT_REVISION.name: str(tenant_revision)}


def respond_to_change(
    done: Plan | RecordedResponse, make_response: Callable[[Plan], RecordedResponse]
) -> Response[bytes]:
    """The response to a change: that of the new plan, or the recorded one of an earlier request."""
    return http_response(make_response(done)) if isinstance(done, Plan) else replayed_response(done)


def example_response(description: str, *examples: msgspec.Struct) -> ResponseSpec:
    """A documented response with an example of each type that it can have."""
    values: list[Any] = [msgspec.to_builtins(each) for each in examples]
    summaries = ["As JSON"] if len(values) == 1 else [type(each).__name__ for each in examples]
    return ResponseSpec(
        Union[tuple(type(each) for each in examples)],  # noqa: UP007 - of a runtime tuple
        description=description,
        generate_examples=False,
        examples=[Example(summary=summary, value=value) for summary, value in zip(summaries, values, strict=True)],
    )
