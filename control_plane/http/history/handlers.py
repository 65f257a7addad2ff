"""The handlers that show a tenant's history."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from control_plane.domain.history import HistoryFilter
from control_plane.errors import HistoryPurged
from control_plane.http.changes.handlers import RevisionNumber
from control_plane.http.changes.payloads import PlannedChange
from control_plane.http.common import cursors
from control_plane.http.common.examples import EXAMPLE_COMMITTED, EXAMPLE_DIFF, EXAMPLE_HISTORY
from control_plane.http.common.problem_details import HISTORY_REFUSALS, PurgedProblem
from control_plane.http.common.problem_types import INVALID, NOT_FOUND, PROBLEM_TYPES, UNAVAILABLE
from control_plane.http.common.responses import example_response
from control_plane.http.history.parsing import accept_diff, accept_history, accept_revision
from control_plane.http.history.payloads import (
    ChangeSetPage,
    ChangeSetSummaryBody,
    CommittedChangeSetBody,
    DiffPage,
    DiffQuery,
    HistoryQuery,
)
from control_plane.http.routes.parsing import AnyRequest
from control_plane.http.tenants.handlers import TenantName
from control_plane.service.history import HistoryService
from shared.runtime.http.openapi.operations import with_query
from shared.runtime.http.openapi.problems import problem_responses

_TENANT = "/api/v1/tenants/{tenant:str}"
_TAGS = ["History"]
_PROBLEMS = problem_responses(INVALID, NOT_FOUND, UNAVAILABLE)
_PURGED = {**_PROBLEMS, **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem)}


def history_handlers(history: HistoryService) -> list[HTTPRouteHandler]:
    """List, show and compare what was changed."""

    @get(
        f"{_TENANT}/changes",
        tags=_TAGS,
        summary="List a tenant's change sets, newest first",
        operation_class=with_query(HistoryQuery),
        responses={200: example_response("A page of change sets", EXAMPLE_HISTORY), **_PROBLEMS},
        opt={"operation": "changes.list"},
    )
    async def list_changes(request: AnyRequest, tenant: TenantName) -> ChangeSetPage:
        """Who, when, why, and how many routes. Older ones than the retention are in the audit trail."""
        query, before = accept_history(request, tenant)
        found = await history.page(tenant, HistoryFilter(query.changed_by, query.since), before, query.limit + 1)
        shown_now = found[: query.limit]
        more = cursors.before_revision(shown_now[-1].revision) if len(found) > query.limit else None
        return ChangeSetPage(change_sets=[ChangeSetSummaryBody.of(each) for each in shown_now], next_cursor=more)

    @get(
        f"{_TENANT}/changes/{{revision:str}}",
        tags=_TAGS,
        summary="Show a change set",
        responses={200: example_response("The change set", EXAMPLE_COMMITTED), **_PURGED},
        exception_handlers=HISTORY_REFUSALS,
        opt={"operation": "changes.show"},
    )
    async def show_changes(tenant: TenantName, revision: RevisionNumber) -> CommittedChangeSetBody:
        """With every route it changed, before and after."""
        return CommittedChangeSetBody.whole(await history.get(tenant, accept_revision(tenant, revision)))

    @get(
        f"{_TENANT}/diff",
        tags=_TAGS,
        summary="Compare a tenant at two revisions",
        operation_class=with_query(DiffQuery),
        responses={200: example_response("A page of routes that differ", EXAMPLE_DIFF), **_PURGED},
        exception_handlers=HISTORY_REFUSALS,
        opt={"operation": "changes.compare"},
    )
    async def compare(request: AnyRequest, tenant: TenantName) -> DiffPage:
        """The net difference: a route that was changed and changed back is not in it."""
        query, after = accept_diff(request, tenant)
        first, last, limit = query.from_revision, query.to_revision, query.limit
        found = await history.diff(tenant, first, last, after, limit + 1)
        return DiffPage(
            from_revision=first,
            to_revision=last,
            changes=[PlannedChange.of_change(each) for each in found[:limit]],
            next_cursor=cursors.cursor_after([each.key(tenant) for each in found], limit),
        )

    return [list_changes, show_changes, compare]
