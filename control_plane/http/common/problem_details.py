"""Problems that tell more than what went wrong: the plan as it is now, the routes in conflict, what can be asked for."""

from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from control_plane.domain.plans import Plan
from control_plane.errors import HistoryPurged, NoSuchRoutes, PlanRefused, RevertConflict
from control_plane.http.changes.payloads import PlanBody
from control_plane.http.common.problem_types import PROBLEM_TYPES
from shared.runtime.http.problems import Problem, respond

_P = TypeVar("_P", bound=Problem)
_Request = Request[Any, Any, Any]


class Conflict(msgspec.Struct, frozen=True):
    """A route that was changed since, and the revision that did."""

    route: str
    revision: int


class PlanProblem(Problem, omit_defaults=True, kw_only=True):
    """A change set that was refused, with what it would do now."""

    plan: PlanBody
    conflicts: tuple[Conflict, ...] = ()


class PurgedProblem(Problem, omit_defaults=True, kw_only=True):
    """History that is no longer kept."""

    oldest_revision: int


def _with_plan(_: _Request, error: PlanRefused) -> Response[Problem]:
    assert isinstance(error.plan, Plan)  # noqa: S101 - the errors stand below the domain and cannot name it
    conflicts = error.conflicts if isinstance(error, RevertConflict) else ()
    return _extended(
        error,
        PlanProblem,
        plan=PlanBody.of(error.plan),
        conflicts=tuple(Conflict(str(key), revision) for key, revision in conflicts),
    )


def _with_oldest(_: _Request, error: HistoryPurged) -> Response[Problem]:
    return _extended(error, PurgedProblem, oldest_revision=error.oldest)


def _with_places(_: _Request, error: NoSuchRoutes) -> Response[Problem]:
    return respond(PROBLEM_TYPES[NoSuchRoutes], str(error), error.errors)


def _extended(error: Exception, into: type[_P], **members: Any) -> Response[Problem]:
    response = respond(PROBLEM_TYPES[type(error)], str(error))
    response.content = into(**msgspec.structs.asdict(response.content), **members)
    return response


PLAN_REFUSALS: ExceptionHandlersMap = {PlanRefused: _with_plan, HistoryPurged: _with_oldest, NoSuchRoutes: _with_places}
HISTORY_REFUSALS: ExceptionHandlersMap = {HistoryPurged: _with_oldest}
