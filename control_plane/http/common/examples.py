"""Examples of what the API takes and gives, for its documentation."""

from datetime import UTC, datetime
from typing import Any

from control_plane.http.changes.payloads import PlanBody, PlannedChange
from control_plane.http.common.responses import EXAMPLE_ROUTE
from control_plane.http.history.payloads import (
    ChangeSetPage,
    ChangeSetSummaryBody,
    CommittedChangeSetBody,
    DiffPage,
    RoutesThen,
    RouteThenBody,
)
from control_plane.http.routes.payloads import RoutePage
from shared.schemas.route_value import RouteValue

_NEXT = "cGF5bWVudHM6cHJvZDp2Mg"
_URL = EXAMPLE_ROUTE.url

_CHANGES = [
    PlannedChange(
        action="created", service="payments", env="prod", version="v2", before=None, after=RouteValue(_URL, True)
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
_SUMMARY: dict[str, Any] = {
    "revision": 42,
    "changed_by": "ci-bot",
    "reason": "release 42",
    "correlation_id": "req-8f14e45fceea167a",
    "committed_at": datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC),
    "change_count": 2,
}

EXAMPLE_CHANGE_SET: dict[str, Any] = {
    "changes": [
        {"op": "put", "service": "payments", "env": "prod", "version": "v2", "url": _URL},
        {"op": "deactivate", "service": "payments", "env": "prod", "version": "v1"},
    ],
    "reason": "release 42",
    "expected_revision": 41,
}
EXAMPLE_DESIRED_SET: dict[str, Any] = {
    "routes": [{"service": "payments", "env": "prod", "version": "v2", "url": _URL}],
    "reason": "as in git",
}
EXAMPLE_PLAN = PlanBody(
    tenant="team-a",
    base_revision=41,
    revision=42,
    committed=True,
    counts={"created": 1, "updated": 0, "activated": 0, "deactivated": 1, "unchanged": 0},
    changes=_CHANGES,
)
EXAMPLE_ROUTES = RoutePage(routes=[EXAMPLE_ROUTE], next_cursor=_NEXT)
EXAMPLE_ROUTES_THEN = RoutesThen(
    at_revision=42,
    routes=[
        RouteThenBody(tenant="team-a", service="payments", env="prod", version="v2", url=_URL, is_active=True),
    ],
    next_cursor=None,
)
EXAMPLE_HISTORY = ChangeSetPage(change_sets=[ChangeSetSummaryBody(**_SUMMARY)], next_cursor="NDI")
EXAMPLE_COMMITTED = CommittedChangeSetBody(**_SUMMARY, changes=_CHANGES)
EXAMPLE_DIFF = DiffPage(from_revision=41, to_revision=42, changes=_CHANGES, next_cursor=None)
