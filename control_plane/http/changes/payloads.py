"""The JSON of change sets and desired sets, and the response that carries a plan."""

from typing import Annotated, Any, Literal

import msgspec

from control_plane.domain.plans import Plan
from control_plane.domain.requests import RecordedResponse
from control_plane.http.common.plans import EXAMPLE_CHANGES, EXAMPLE_URL, PlanBody
from control_plane.http.common.request_fields import EnvFilter, Reason, ServiceFilter
from control_plane.http.common.responses import change_headers
from shared.schemas.events import MAX_CHANGES
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA

# The patterns are for the OpenAPI document only: `name_errors` checks the names.
_Name = Annotated[str, msgspec.Meta(extra_json_schema=NAME_SCHEMA)]
_Version = Annotated[str, msgspec.Meta(extra_json_schema=VERSION_SCHEMA)]
_Url = Annotated[str, msgspec.Meta(description="Absolute URL of RFC 3986, at most 2,048 characters.")]
_ExpectedRevision = Annotated[
    int,
    msgspec.Meta(ge=0, description="The revision that the tenant must have. Otherwise 409."),
]
_DryRun = Annotated[bool, msgspec.Meta(description="Return the plan without committing it.")]


class ChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One change. `put` sets this `url` and activates the route; `activate` and `deactivate` keep the route's URL."""

    op: Literal["put", "activate", "deactivate"]
    service: _Name
    env: _Name
    version: _Version
    url: _Url | None = None


class ChangeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a change set."""

    reason: Reason | None = None
    expected_revision: _ExpectedRevision | None = None
    dry_run: _DryRun = False


class ChangeSetBody(ChangeOptions, frozen=True, kw_only=True):
    """Changes that are committed together or not at all."""

    changes: Annotated[list[ChangeBody], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]


class DesiredRouteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The desired value of a route."""

    service: _Name
    env: _Name
    version: _Version
    url: _Url
    is_active: bool = True


class MassChangeOptions(ChangeOptions, frozen=True, kw_only=True):
    """The options of a change set that may affect every route of the tenant."""

    allow_mass_deactivation: Annotated[
        bool, msgspec.Meta(description="Allow more than 20 % of the tenant's active routes to be deactivated.")
    ] = False


class DesiredSetBody(MassChangeOptions, frozen=True, kw_only=True):
    """The complete set of routes. Routes that are not listed are deactivated."""

    routes: list[DesiredRouteBody]


class RevertOptions(ChangeOptions, frozen=True, kw_only=True):
    """The options of reverting one change set."""

    force: Annotated[
        bool, msgspec.Meta(description="Overwrite routes that changed again after the reverted revision.")
    ] = False


class ScopeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a tenant that a desired set describes; routes outside of it are left unchanged."""

    service: ServiceFilter | None = None
    env: EnvFilter | None = None


def plan_response(plan: Plan) -> RecordedResponse:
    """200 with the plan, and the tenant's revision as entity tag."""
    headers = change_headers(plan.revision, plan.revision)
    return RecordedResponse(200, headers, msgspec.json.encode(PlanBody.of(plan)))


EXAMPLE_CHANGE_SET: dict[str, Any] = {
    "changes": [
        {"op": "put", "service": "payments", "env": "prod", "version": "v2", "url": EXAMPLE_URL},
        {"op": "deactivate", "service": "payments", "env": "prod", "version": "v1"},
    ],
    "reason": "release 42",
    "expected_revision": 41,
}
EXAMPLE_DESIRED_SET: dict[str, Any] = {
    "routes": [{"service": "payments", "env": "prod", "version": "v2", "url": EXAMPLE_URL}],
    "reason": "as in git",
}
EXAMPLE_PLAN = PlanBody(
    tenant="team-a",
    base_revision=41,
    revision=42,
    committed=True,
    counts={"created": 1, "updated": 0, "activated": 0, "deactivated": 1, "unchanged": 0},
    changes=EXAMPLE_CHANGES,
)
