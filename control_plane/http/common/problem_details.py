"""Problem details with further members: the current plan, the routes in conflict, the oldest kept revision."""

from typing import Any, TypeVar

import msgspec
from litestar import Response
from litestar.types import ExceptionHandlersMap

from control_plane.domain.plans import Plan
from control_plane.errors import HistoryPurged, NoSuchRoutes, PlanRefused, RevertConflict
from control_plane.http.common.parsing import AnyRequest
from control_plane.http.common.plans import PlanBody
from control_plane.http.common.problem_types import PROBLEM_TYPES
from shared.runtime.http.problems import Problem, problem_response

_P = TypeVar("_P", bound=Problem)


class Conflict(msgspec.Struct, frozen=True):
    """A route that changed after the reverted revision, and the revision that changed it."""

    route: str
    revision: int


class PlanProblem(Problem, omit_defaults=True, kw_only=True):
    """A refused change set, with its current plan."""

    plan: PlanBody
    conflicts: tuple[Conflict, ...] = ()


class PurgedProblem(Problem, omit_defaults=True, kw_only=True):
    """History that has been purged, with the oldest revision that is kept."""

    oldest_revision: int


def _plan_problem(_: AnyRequest, error: PlanRefused) -> Response[Problem]:
    assert isinstance(error.plan, Plan)  # noqa: S101 - errors are a layer below the domain and cannot name it
    conflicts = error.conflicts if isinstance(error, RevertConflict) else ()
    return _extended(
        error,
        PlanProblem,
        plan=PlanBody.of(error.plan),
        conflicts=tuple(Conflict(str(key), revision) for key, revision in conflicts),
    )


def _purged_problem(_: AnyRequest, error: HistoryPurged) -> Response[Problem]:
    return _extended(error, PurgedProblem, oldest_revision=error.oldest)


def _missing_routes_problem(_: AnyRequest, error: NoSuchRoutes) -> Response[Problem]:
    return problem_response(PROBLEM_TYPES[NoSuchRoutes], str(error), error.errors)


def _extended(error: Exception, into: type[_P], **members: Any) -> Response[Problem]:
    response = problem_response(PROBLEM_TYPES[type(error)], str(error))
    response.content = into(**msgspec.structs.asdict(response.content), **members)
    return response


HISTORY_PROBLEM_HANDLERS: ExceptionHandlersMap = {HistoryPurged: _purged_problem}
PLAN_PROBLEM_HANDLERS: ExceptionHandlersMap = {
    PlanRefused: _plan_problem,
    NoSuchRoutes: _missing_routes_problem,
    **HISTORY_PROBLEM_HANDLERS,
}
