"""GET /api/v1/resolve/…/explain: why a route is answered as it is, for people."""

import math
from datetime import UTC, datetime

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from data_plane.domain.active_value import attributes_of
from data_plane.http.openapi import Environment, Service, Tenant, Version
from data_plane.service.resolve.explainer import Explainer, Explanation, View
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import INVALID_INPUT
from shared.schemas.identity import RouteKey


class LayerView(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of one layer; null where the layer has none. `note` says why the layer failed or is skipped.

    `tenant_revision`: the tenant revision at which the entry is known to be right. `age_ms`: time since the entry was read
    from a database. `staleness_bound_ms`: upper bound on its staleness.
    """

    layer: str
    state: str | None
    url: str | None
    revision: int | None
    tenant_revision: int | None
    fresh: bool
    age_ms: int | None
    remaining_ms: int | None
    staleness_bound_ms: int | None
    note: str


class Watermark(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant revisions that were applied from events without a gap.

    `covered_until`: the primary's time before which every acknowledged change of any tenant is applied.
    """

    applied_from: int | None
    applied_to: int | None
    covered_until: datetime | None


class RouteExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a route is answered as it is. `answered_by`: the first layer whose entry is fresh and is not skipped."""

    key: str
    answered_by: str | None
    why: str
    layers: list[LayerView]
    watermark: Watermark


_EXAMPLE_ENTRY = {
    "url": "https://payments.team-a.example.com/v2",
    "revision": 42,
    "tenant_revision": 57,
    "fresh": True,
    "age_ms": 3120,
    "remaining_ms": 56880,
    "staleness_bound_ms": 812,
    "note": "",
}
_EXAMPLE = Example(
    summary="A route in L1",
    value={
        "key": "team-a:payments:prod:v2",
        "answered_by": "l1",
        "why": "Active since revision 42 of the tenant.",
        "layers": [{"layer": "l1", "state": "active", **_EXAMPLE_ENTRY}],
        "watermark": {"applied_from": 50, "applied_to": 57, "covered_until": "2026-03-02T16:05:12.5Z"},
    },
)


def explain_handler(explainer: Explainer) -> HTTPRouteHandler:
    """The handler over this explainer."""

    @get(
        "/api/v1/resolve/{tenant:str}/{service:str}/{env:str}/{version:str}/explain",
        tags=["Resolve"],
        summary="Explain the answer for one route",
        responses={
            200: ResponseSpec(
                RouteExplanation, description="The entry of every layer", generate_examples=False, examples=[_EXAMPLE]
            ),
            **problem_responses(INVALID_INPUT),
        },
        opt={"operation": "routes.explain"},
    )
    async def explain(tenant: Tenant, service: Service, env: Environment, version: Version) -> RouteExplanation:
        """Reads every layer and reports which one answers, how old its entry is, and why a 404 is one.

        Changes no cache.
        """
        return _body(await explainer.explain(RouteKey(tenant, service, env, version)))

    return explain


def _body(explanation: Explanation) -> RouteExplanation:
    applied, covered_until, answering = explanation.applied, explanation.covered_until, explanation.answering
    return RouteExplanation(
        key=str(explanation.key),
        answered_by=None if answering is None else answering.layer.value,
        why=explanation.why,
        layers=[_layer(each) for each in explanation.views],
        watermark=Watermark(
            applied_from=applied.start if applied else None,
            applied_to=applied.stop - 1 if applied else None,
            covered_until=datetime.fromtimestamp(covered_until, UTC) if math.isfinite(covered_until) else None,
        ),
    )


def _layer(view: View) -> LayerView:
    entry = view.entry
    return LayerView(
        layer=view.layer.value,
        state=None if entry is None else entry.state.name.lower(),
        **attributes_of(None if entry is None else entry.value),
        revision=None if entry is None else entry.revision,
        tenant_revision=None if entry is None else view.tenant_revision,
        fresh=view.is_fresh,
        age_ms=None if entry is None else math.ceil(view.age * 1000),
        remaining_ms=None if entry is None else math.floor(view.remaining * 1000),
        staleness_bound_ms=None if view.bound is None else math.ceil(view.bound * 1000),
        note=view.note,
    )
