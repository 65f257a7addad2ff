"""A tenant's history: its change sets, and the difference between two revisions."""

from typing import Any

from litestar import get
from litestar.handlers import HTTPRouteHandler

from control_plane.domain.history import HistoryFilter
from control_plane.errors import HistoryPurged
from control_plane.http.common.cursors import encode_revision, encode_route, next_cursor
from control_plane.http.common.parsing import AnyRequest
from control_plane.http.common.plans import PlannedChange
from control_plane.http.common.problem_details import HISTORY_PROBLEM_HANDLERS, PurgedProblem
from control_plane.http.common.problem_types import NOT_FOUND, PROBLEM_TYPES
from control_plane.http.common.request_fields import RevisionNumber, TenantName
from control_plane.http.common.responses import example_response
from control_plane.http.history.parsing import accept_diff, accept_history, accept_revision
from control_plane.http.history.payloads import (
    EXAMPLE_CHANGE_SET_PAGE,
    EXAMPLE_COMMITTED,
    EXAMPLE_DIFF,
    ChangeSetPage,
    ChangeSetSummaryBody,
    CommittedChangeSetBody,
    DiffPage,
    DiffQuery,
    HistoryQuery,
)
from control_plane.service.history import HistoryService
from shared.runtime.http.openapi.operations import with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT

_TENANT = "/api/v1/tenants/{tenant:str}"
_PROBLEMS = problem_responses(INVALID_INPUT, NOT_FOUND, DEPENDENCY_UNAVAILABLE)
_PURGED = {**_PROBLEMS, **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem, oldest_revision=41)}


def _options(operation: str) -> dict[str, Any]:
    return {"tags": ["History"], "opt": {"operation": operation}}


def history_handlers(history: HistoryService) -> list[HTTPRouteHandler]:
    """The handlers that list and show change sets and compare revisions."""

    @get(
        f"{_TENANT}/changes",
        summary="List a tenant's change sets, newest first",
        operation_class=with_query(HistoryQuery),
        responses={200: example_response("A page of change sets", EXAMPLE_CHANGE_SET_PAGE), **_PROBLEMS},
        **_options("changes.list"),
    )
    async def list_changes(request: AnyRequest, tenant: TenantName) -> ChangeSetPage:
        """Each with its author, time, reason and number of changes. Change sets that were purged are in the audit trail."""
        query, before = accept_history(request, tenant)
        found = await history.page(tenant, HistoryFilter(query.changed_by, query.since), before, query.limit + 1)
        cursor = next_cursor([each.revision for each in found], query.limit, encode_revision)
        bodies = [ChangeSetSummaryBody.of(each) for each in found[: query.limit]]
        return ChangeSetPage(change_sets=bodies, next_cursor=cursor)

    @get(
        f"{_TENANT}/changes/{{revision:str}}",
        summary="Show a change set",
        responses={200: example_response("The change set", EXAMPLE_COMMITTED), **_PURGED},
        exception_handlers=HISTORY_PROBLEM_HANDLERS,
        **_options("changes.show"),
    )
    async def show_changes(tenant: TenantName, revision: RevisionNumber) -> CommittedChangeSetBody:
        """With the value of each changed route before and after."""
        return CommittedChangeSetBody.of_committed(await history.get(tenant, accept_revision(tenant, revision)))

    @get(
        f"{_TENANT}/diff",
        summary="Compare a tenant's routes at two revisions",
        operation_class=with_query(DiffQuery),
        responses={200: example_response("A page of routes that differ", EXAMPLE_DIFF), **_PURGED},
        exception_handlers=HISTORY_PROBLEM_HANDLERS,
        **_options("changes.compare"),
    )
    async def compare(request: AnyRequest, tenant: TenantName) -> DiffPage:
        """The net difference: a route that changed and changed back is not listed."""
        query, after = accept_diff(request, tenant)
        first, last, limit = query.from_revision, query.to_revision, query.limit
        found = await history.diff(tenant, first, last, after, limit + 1)
        return DiffPage(
            from_revision=first,
            to_revision=last,
            changes=[PlannedChange.of_change(each) for each in found[:limit]],
            next_cursor=next_cursor([each.key(tenant) for each in found], limit, encode_route),
        )

    return [list_changes, show_changes, compare]
