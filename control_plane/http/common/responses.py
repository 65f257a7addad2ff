"""Answers to callers, and how they are documented."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, Union

import msgspec
from litestar import MediaType, Response
from litestar.datastructures import ResponseHeader
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from control_plane.domain.plans import Plan
from control_plane.domain.requests import RecordedResponse
from control_plane.domain.routes import Route
from control_plane.http.changes.payloads import PlanBody
from control_plane.http.routes.payloads import RouteBody, TenantBody
from shared.schemas.events import Action

_B = TypeVar("_B", bound=msgspec.Struct)

REVISION_TAG = ResponseHeader(
    name="ETag", description="The route's revision, in quotes.", value='"42"', documentation_only=True
)

REVISION_HEADER = "X-Revision"
TENANT_REVISION = ResponseHeader(
    name=REVISION_HEADER,
    description="The tenant's revision. A resolver that is asked for no older one shows what is told here.",
    value="42",
    documentation_only=True,
)
PLAN_TAG = ResponseHeader(
    name="ETag", description="The tenant's revision, in quotes.", value='"42"', documentation_only=True
)
REPLAYED_HEADER = "Idempotency-Replayed"
REPLAYED = ResponseHeader(
    name=REPLAYED_HEADER,
    description="`true` when this is the recorded answer to an earlier request.",
    value="true",
    documentation_only=True,
)

EXAMPLE_ROUTE = RouteBody(
    tenant="team-a",
    service="payments",
    env="prod",
    version="v2",
    url="https://payments-v2.prod.example.com/api",
    is_active=True,
    revision=42,
    created_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    updated_at=datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC),
)
EXAMPLE_TENANT = TenantBody(tenant="team-a", revision=42, created_at=datetime(2026, 2, 27, 8, 0, tzinfo=UTC))


def route_answer(route: Route) -> Response[RouteBody]:
    """The route, tagged with its revision."""
    return Response(RouteBody.of(route), headers={"ETag": _tag(route.revision)})


def route_responses(plan: Plan) -> RecordedResponse:
    """What a change of a single route is answered with: the route as it stands, tagged with its revision."""
    (outcome,) = plan.outcomes
    created = outcome.change is not None and outcome.change.action is Action.CREATED
    headers = {"ETag": _tag(outcome.route.revision), REVISION_HEADER: str(plan.revision)}
    return RecordedResponse(201 if created else 200, headers, msgspec.json.encode(RouteBody.of(outcome.route)))


def plan_responses(plan: Plan) -> RecordedResponse:
    """What a change set is answered with, tagged with the tenant's revision."""
    headers = {"ETag": _tag(plan.revision), REVISION_HEADER: str(plan.revision)}
    return RecordedResponse(200, headers, msgspec.json.encode(PlanBody.of(plan)))


def respond_to_change(done: Plan | RecordedResponse, tell: Callable[[Plan], RecordedResponse]) -> Response[bytes]:
    """The response to a change: the recorded answer as it was, or what there is to tell of a new plan."""
    return _response(tell(done), {}) if isinstance(done, Plan) else replayed(done)


def replayed(answer: RecordedResponse) -> Response[bytes]:
    """The recorded answer to an earlier request."""
    return _response(answer, {REPLAYED_HEADER: "true"})


def _response(answer: RecordedResponse, further: Mapping[str, str]) -> Response[bytes]:
    return Response(
        answer.body, status_code=answer.status, headers={**answer.headers, **further}, media_type=MediaType.JSON
    )


def _tag(revision: int) -> str:
    return f'"{revision}"'


def example_response(description: str, example: _B) -> ResponseSpec:
    """How an answer of the example's type is documented."""
    return example_response_of_any(description, example)


def example_response_of_any(description: str, *examples: msgspec.Struct) -> ResponseSpec:
    """How an answer is documented that is of one of the examples' types."""
    values: list[Any] = [msgspec.to_builtins(each) for each in examples]
    summaries = ["As JSON"] if len(values) == 1 else [type(each).__name__ for each in examples]
    return ResponseSpec(
        Union[tuple(type(each) for each in examples)],  # noqa: UP007 - as many as there are
        description=description,
        generate_examples=False,
        examples=[Example(summary=summary, value=value) for summary, value in zip(summaries, values, strict=True)],
    )
