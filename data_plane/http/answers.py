"""Answers as HTTP responses."""

from typing import Any

from litestar import Response

from data_plane.domain.answer import Answer
from data_plane.domain.resolved import ResolvedRoute
from data_plane.http.conditions import etag_of, has_already
from shared.runtime.http.problems import Kind, respond
from shared.schemas.identity import RouteKey

NO_ACTIVE_ROUTE = Kind(404, "no-active-route", "There is no active route under this key")
ROUTE_UNKNOWN = Kind(503, "route-unknown", "No source can tell whether the route exists", retry_after=1)


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


def _no_active_route(key: RouteKey, headers: dict[str, str]) -> Response[Any]:
    # The same words for a route that never was, one that was deactivated, and an unknown tenant.
    detail = f"{key} has no active route; create or activate it in the control API."
    response = respond(NO_ACTIVE_ROUTE, detail)
    response.headers.update(headers)
    return response


def _headers(answer: Answer) -> dict[str, str]:
    negative = "" if answer.entry.is_active else "; negative"
    stale = "; stale" if answer.stale else ""
    return {
        "Cache-Control": f"max-age={int(answer.remaining)}",
        "Age": str(int(answer.age)),
        "X-Cache": f"{answer.layer}{negative}{stale}",
    }
