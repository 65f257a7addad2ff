"""The JSON of change sets and plans."""

from typing import Annotated, Literal

import msgspec

from control_plane.domain.changes import Outcome
from control_plane.domain.plans import Plan
from control_plane.http.routes.payloads import Reason
from shared.schemas.events import MAX_CHANGES, RouteChange
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA
from shared.schemas.route_value import RouteValue

Operation = Literal["put", "activate", "deactivate"]
PlannedAction = Literal["created", "updated", "activated", "deactivated", "unchanged"]

# For the documentation only: what is wrong with a name is said in words where it is read.
_Name = Annotated[str, msgspec.Meta(extra_json_schema=NAME_SCHEMA)]
_Version = Annotated[str, msgspec.Meta(extra_json_schema=VERSION_SCHEMA)]
_Url = Annotated[str, msgspec.Meta(description="Absolute URL, at most 2,048 characters.")]
_Expected = Annotated[
    int,
    msgspec.Meta(ge=0, description="The tenant's revision that this was prepared against; another one is a 409."),
]
_DryRun = Annotated[bool, msgspec.Meta(description="Only plan: say what would change, and change nothing.")]


class ChangeBody(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `put` makes the route active with this `url`; the others keep the one it has."""

    op: Operation
    service: _Name
    env: _Name
    version: _Version
    url: _Url | None = None


class ChangeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Why, and on which terms."""

    reason: Reason | None = None
    expected_revision: _Expected | None = None
    dry_run: _DryRun = False


class ChangeSetBody(ChangeTerms, frozen=True, kw_only=True):
    """Changes that are made together or not at all."""

    changes: Annotated[list[ChangeBody], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]


class DesiredRouteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A route as it is to be."""

    service: _Name
    env: _Name
    version: _Version
    url: _Url
    is_active: bool = True


class SweepingTerms(ChangeTerms, frozen=True, kw_only=True):
    """Why, on which terms, and how much may go, of what changes all routes."""

    allow_mass_deactivation: Annotated[
        bool, msgspec.Meta(description="Deactivate even more than 20 % of the tenant's active routes.")
    ] = False


class DesiredSetBody(SweepingTerms, frozen=True, kw_only=True):
    """All routes that are to be there. Those that are not named are deactivated."""

    routes: list[DesiredRouteBody]


class RevertTerms(ChangeTerms, frozen=True, kw_only=True):
    """Why and on which terms a change set is undone."""

    force: Annotated[bool, msgspec.Meta(description="Overwrite routes that were changed again since, too.")] = False


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one route. `before` is null for one that is created."""

    action: PlannedAction
    service: str
    env: str
    version: str
    before: RouteValue | None
    after: RouteValue

    @classmethod
    def of(cls, outcome: Outcome) -> "PlannedChange":
        if outcome.change is not None:
            return cls.of_change(outcome.change)
        route = outcome.route
        key, value = route.key, route.value
        return cls(action="unchanged", service=key.service, env=key.env, version=key.version, before=value, after=value)

    @classmethod
    def of_change(cls, change: RouteChange) -> "PlannedChange":
        return cls(
            action=change.action.value,
            service=change.service,
            env=change.env,
            version=change.version,
            before=change.previous,
            after=change.value,
        )


class PlanBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a change set does. `base_revision`: the tenant's that it was computed against.

    `revision`: the tenant's now; one more than `base_revision` when it was `committed`. A change set that changes
    nothing is not committed. `counts`: how many routes by action. `changes`: in the order they were asked for; of a
    desired set only those that change.
    """

    tenant: str
    base_revision: int
    revision: int
    committed: bool
    counts: dict[str, int]
    changes: list[PlannedChange]

    @classmethod
    def of(cls, plan: Plan) -> "PlanBody":
        return cls(
            tenant=plan.tenant,
            base_revision=plan.base_revision,
            revision=plan.revision,
            committed=plan.committed,
            counts=dict(plan.counts()),
            changes=[PlannedChange.of(each) for each in plan.outcomes],
        )
