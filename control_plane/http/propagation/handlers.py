"""The propagation of a change set: which resolver processes have applied it."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from control_plane.errors import HistoryPurged
from control_plane.http.common.parsing import AnyRequest
from control_plane.http.common.problem_details import HISTORY_PROBLEM_HANDLERS, PurgedProblem
from control_plane.http.common.problem_types import NOT_FOUND, PROBLEM_TYPES
from control_plane.http.common.request_fields import RevisionNumber, TenantName
from control_plane.http.common.responses import example_response
from control_plane.http.propagation.parsing import accept_propagation
from control_plane.http.propagation.payloads import EXAMPLE_PROPAGATION, PropagationBody, PropagationQuery
from control_plane.service.propagation import PropagationService
from shared.runtime.http.openapi.operations import with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT
from shared.runtime.http.request_limits import release_slot


def propagation_handlers(propagation: PropagationService, deadline_seconds: float) -> list[HTTPRouteHandler]:
    """The handler that shows a change set's propagation. `deadline_seconds`: of a request that does not wait."""

    @get(
        "/api/v1/tenants/{tenant:str}/changes/{revision:str}/propagation",
        tags=["Changes"],
        summary="Show which resolvers have applied a change set, or wait until all have",
        operation_class=with_query(PropagationQuery),
        responses={
            200: example_response("The state of every resolver process", EXAMPLE_PROPAGATION),
            **problem_responses(INVALID_INPUT, NOT_FOUND, DEPENDENCY_UNAVAILABLE),
            **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem, oldest_revision=41),
        },
        exception_handlers=HISTORY_PROBLEM_HANDLERS,
        opt={"operation": "changes.propagation"},
    )
    async def show_propagation(request: AnyRequest, tenant: TenantName, revision: RevisionNumber) -> PropagationBody:
        """With `wait`, responds when every process that is not `gone` has applied it, or when the time is up.

        Resolver processes report through Kafka. A process that has been silent for 15 seconds is `gone` and is not waited
        for. A 503 says that the reports or the database cannot be read. While no process reports, `live_everywhere` is
        false.
        """
        number, wait = accept_propagation(request, tenant, revision)
        if wait > 0:
            # The database may be read once more after the wait.
            release_slot(propagation.max_wait_seconds(wait) + 2 * deadline_seconds)
        return PropagationBody.of(await propagation.propagation(tenant, number, wait))

    return [show_propagation]
