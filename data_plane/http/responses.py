"""Answers as HTTP responses."""

import math
from typing import Any

from litestar import Response

from data_plane.domain.answer import Answer
from data_plane.domain.route_encoding import ResolvedRoute
from data_plane.errors import NotFreshEnough, RevisionNotReached
from data_plane.http.conditional import etag_of, has_already
from shared.runtime.http.problems import ProblemType, respond
from shared.schemas.identity import RouteKey

NO_ACTIVE_ROUTE = ProblemType(404, "no-active-route", "There is no active route under this key")
NOT_FRESH_ENOUGH = ProblemType(409, "not-fresh-enough", "No source can tell as recently as asked for", retry_after=1)
REVISION_NOT_REACHED = ProblemType(
    409, "revision-not-reached", "The tenant's revision asked for is not known here", retry_after=1
)
NOT_AS_DEMANDED = ProblemType(
    409, "not-as-demanded", "No source can tell as recently, or as of the revision, as asked for"
)
ROUTE_UNKNOWN = ProblemType(503, "route-unknown", "No source can tell whether the route exists", retry_after=1)


def respond_with(answer: Answer, if_none_match: str | None) -> Response[Any]:
    """200 with the route, 304 when the caller has it already, or 404 when no route is active."""
    headers = _headers(answer)
    entry, key = answer.entry, answer.entry.key
    if entry.url is None:
        return _no_active_route(key, headers)
    headers["ETag"] = etag_of(entry.revision)
    if has_already(if_none_match, headers["ETag"]):
        return Response(None, status_code=304, headers=headers)
    route = ResolvedRoute(key.tenant, key.service, key.env, key.version, entry.url, entry.revision)
    return Response(route, headers=headers)


def refuse_older(refusal: NotFreshEnough) -> Response[Any]:
    """409: the best answer there is, is older than the caller accepts. The header says how old."""
    response = respond(NOT_FRESH_ENOUGH, str(refusal))
    response.headers["X-Staleness-Bound"] = bound_text(refusal.bound)
    return response


def refuse_behind(refusal: RevisionNotReached) -> Response[Any]:
    """409: nobody has shown the revision that the caller asks for. The header says which one was reached."""
    response = respond(REVISION_NOT_REACHED, str(refusal))
    response.headers["X-Revision-Reached"] = str(refusal.reached)
    return response


def words_of_absence(key: object) -> str:
    """The detail of a 404; the same words for a route that never was, one that was deactivated, and an unknown tenant."""
    return f"{key} has no active route; create or activate it in the control API."


def bound_text(bound: float | None) -> str:
    """Seconds as whole milliseconds, rounded up; `unknown` for None."""
    return "unknown" if bound is None else str(math.ceil(bound * 1000))


def _no_active_route(key: RouteKey, headers: dict[str, str]) -> Response[Any]:
    response = respond(NO_ACTIVE_ROUTE, words_of_absence(key))
    response.headers.update(headers)
    return response


def _headers(answer: Answer) -> dict[str, str]:
    negative = "" if answer.entry.is_active else "; negative"
    stale = "; stale" if answer.stale else ""
    return {
        "Cache-Control": f"max-age={int(answer.remaining)}",
        "Age": str(int(answer.age)),
        "X-Cache": f"{answer.layer}{negative}{stale}",
        "X-Staleness-Bound": bound_text(answer.bound),
    }
