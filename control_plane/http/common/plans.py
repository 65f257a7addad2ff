"""The JSON of plans and of single changes, which change sets, history and problem details have in common."""

from typing import Literal

import msgspec

from control_plane.domain.changes import Outcome
from control_plane.domain.plans import Plan
from shared.schemas.events import RouteChange
from shared.schemas.route_value import RouteValue

PlannedAction = Literal["created", "updated", "activated", "deactivated", "unchanged"]


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one route. `before` is null for a created route."""

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
        key, value = outcome.route.key, outcome.route.value
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
    """The effect of a change set. `base_revision`: the tenant's revision that the plan was computed against.

    `revision`: the tenant's revision now; `base_revision` plus one when `committed`. A change set that changes nothing is
    not committed. `counts`: number of routes by action. `changes`: in the order of the request; for a desired set only
    the routes that change.
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


EXAMPLE_URL = "https://payments-v2.prod.example.com/api"
EXAMPLE_CHANGES = [
    PlannedChange(
        action="created", service="payments", env="prod", version="v2", before=None, after=RouteValue(EXAMPLE_URL, True)
    ),
    PlannedChange(
        action="deactivated",
        service="payments",
        env="prod",
        version="v1",
        before=RouteValue("https://payments-v1.prod.example.com/api", True),
        after=RouteValue("https://payments-v1.prod.example.com/api", False),
    ),
]
