"""The handler that tells where a change set is live."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from control_plane.errors import HistoryPurged
from control_plane.http.changes.handlers import RevisionNumber
from control_plane.http.common.problem_details import HISTORY_REFUSALS, PurgedProblem
from control_plane.http.common.problem_types import INVALID, NOT_FOUND, PROBLEM_TYPES, UNAVAILABLE
from control_plane.http.common.responses import example_response
from control_plane.http.history.parsing import accept_propagation
from control_plane.http.propagation.payloads import EXAMPLE_PROPAGATION, PropagationBody, PropagationQuery
from control_plane.http.routes.parsing import AnyRequest
from control_plane.http.tenants.handlers import TenantName
from control_plane.service.propagation import PropagationService
from shared.runtime.http.openapi.operations import with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.request_limits import release_slot


def propagation_handlers(propagation: PropagationService, deadline_seconds: float) -> list[HTTPRouteHandler]:
    """Show where a change set is live; `deadline_seconds` is what an answer takes at most when nobody waits."""

    @get(
        "/api/v1/tenants/{tenant:str}/changes/{revision:str}/propagation",
        tags=["Changes"],
        summary="Show which resolvers have applied a change set, or wait until all have",
        operation_class=with_query(PropagationQuery),
        responses={
            200: example_response("How every resolver process stands to it", EXAMPLE_PROPAGATION),
            **problem_responses(INVALID, NOT_FOUND, UNAVAILABLE),
            **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem),
        },
        exception_handlers=HISTORY_REFUSALS,
        opt={"operation": "changes.propagation"},
    )
    async def show_propagation(request: AnyRequest, tenant: TenantName, revision: RevisionNumber) -> PropagationBody:
        """With `wait` the answer comes as soon as every process that is not gone has applied it, or the time is up.

        Resolver processes report in Kafka; one that has been silent for 15 seconds is `gone`, and not waited for. A 503
        says what is not known while Kafka or the database does not answer. While no process reports, it is live nowhere.
        """
        number, wait = accept_propagation(request, tenant, revision)
        if wait > 0:
            # Before the answer there may be another look at the database.
            release_slot(propagation.longest(wait) + 2 * deadline_seconds)
        return PropagationBody.of(await propagation.propagation(tenant, number, wait))

    return [show_propagation]
