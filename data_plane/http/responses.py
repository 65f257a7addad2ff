"""Responses of the resolve API: the route, 304, and the error responses.

A 404 for a route is built in three places, which must send the same headers: here, in `fast_path/not_found.py` (from L1),
and in `tenant_concealment.py` (for a route of another tenant). There, no header may depend on that tenant. A watch of a
tenant that does not exist (`NoSuchTenant`) and an unknown path get 404s of their own.
"""

import math
from typing import Any

from litestar import Response

from data_plane.domain.answer import Answer
from data_plane.domain.route_encoding import resolved_route
from data_plane.errors import NotFreshEnough, RevisionNotReached
from data_plane.http.request_headers import etag_of, matches_etag
from shared.runtime.http.problems import ProblemType, problem_response
from shared.schemas.identity import RouteKey

NO_ACTIVE_ROUTE = ProblemType(404, "no-active-route", "No active route")
NOT_FRESH_ENOUGH = ProblemType(409, "not-fresh-enough", "Not fresh enough", retry_after=1)
REVISION_NOT_REACHED = ProblemType(409, "revision-not-reached", "Revision not reached", retry_after=1)
CONSISTENCY_NOT_MET = ProblemType(409, "read-consistency-not-met", "Read consistency not met")
"""Documents both problems above under their common status; never sent itself."""
ROUTE_UNKNOWN = ProblemType(503, "route-unknown", "Route unknown", retry_after=1)


def route_response(answer: Answer, if_none_match: str | None) -> Response[Any]:
    """200 with the route, 304 when `if_none_match` names its revision, or 404 when no route is active."""
    headers = _headers(answer)
    entry, key = answer.entry, answer.entry.key
    if entry.value is None:
        return _no_active_route_response(key, headers)
    headers["ETag"] = etag_of(entry.revision)
    if matches_etag(if_none_match, headers["ETag"]):
        return Response(None, status_code=304, headers=headers)
    return Response(resolved_route(key, entry.value, entry.revision), headers=headers)


def not_fresh_enough_response(error: NotFreshEnough) -> Response[Any]:
    """409 with the staleness bound of the best answer in a header."""
    response = problem_response(NOT_FRESH_ENOUGH, str(error))
    response.headers["X-Staleness-Bound"] = staleness_bound_text(error.bound)
    return response


def revision_not_reached_response(error: RevisionNotReached) -> Response[Any]:
    """409 with the newest revision of the tenant that this process has, loaded or applied, in `X-Revision-Reached`."""
    response = problem_response(REVISION_NOT_REACHED, str(error))
    response.headers["X-Revision-Reached"] = str(error.reached)
    return response


def no_active_route_detail(key: object) -> str:
    """The detail of a 404: the same for a route never created, a deactivated one, and one of an unknown tenant."""
    return f"{key} has no active route; create or activate it in the control API."


def staleness_bound_text(bound_seconds: float | None) -> str:
    """The value of X-Staleness-Bound: whole milliseconds, rounded up; `unknown` for None."""
    return "unknown" if bound_seconds is None else str(math.ceil(bound_seconds * 1000))


def _no_active_route_response(key: RouteKey, headers: dict[str, str]) -> Response[Any]:
    response = problem_response(NO_ACTIVE_ROUTE, no_active_route_detail(key))
    response.headers.update(headers)
    return response


def _headers(answer: Answer) -> dict[str, str]:
    negative = "" if answer.entry.is_active else "; negative"
    stale = "; stale" if answer.stale else ""
    return {
        "Cache-Control": f"max-age={int(answer.remaining)}",
        "Age": str(int(answer.age)),
        "X-Cache": f"{answer.layer}{negative}{stale}",
        "X-Staleness-Bound": staleness_bound_text(answer.bound),
    }
