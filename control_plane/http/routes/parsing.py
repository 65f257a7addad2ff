"""Requests about single routes and their list, parsed, with every error reported at once."""

from collections.abc import Callable
from dataclasses import dataclass

from control_plane.domain.changes import WantedChangeSet, WantedRoute
from control_plane.domain.plans import Plan
from control_plane.domain.requests import ChangeRequest, RecordedResponse
from control_plane.domain.route_url import UrlRules
from control_plane.domain.routes import RouteFilter, RoutePosition
from control_plane.http.common.cursors import decode_route
from control_plane.http.common.idempotency import read_idempotency_key
from control_plane.http.common.parsing import AnyRequest, accepted, attribution_of, read_parameters
from control_plane.http.common.preconditions import read_preconditions
from control_plane.http.common.request_fields import check_reason
from control_plane.http.routes.payloads import ChangeReason, PutRoute, RouteQuery
from shared.runtime.http.payload import read_body
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import FieldError

Path = tuple[str, str, str, str]
"""Tenant, service, env and version."""


@dataclass(frozen=True, slots=True)
class RouteListing:
    """A page of a tenant's routes: now, or as of a revision."""

    matching: RouteFilter
    after: RoutePosition | None
    limit: int
    at_revision: int | None


def accept_put(request: AnyRequest, path: Path, body: bytes, rules: UrlRules) -> ChangeRequest:
    """The change that a PUT of a route requests. Raises InvalidInput."""
    given, errors = read_body(body, PutRoute, {"url": rules.accept, "reason": check_reason})
    preconditions, header_errors = read_preconditions(request.headers)
    given = accepted(given, _path_errors(path), errors, header_errors)
    route = WantedRoute(RouteKey(*path), given.is_active, rules.accept(given.url))
    return ChangeRequest(WantedChangeSet(path[0], (route,)), attribution_of(request, given.reason), preconditions)


def accept_state_change(
    request: AnyRequest,
    path: Path,
    body: bytes,
    *,
    is_active: bool,
    make_response: Callable[[Plan], RecordedResponse] | None = None,
) -> ChangeRequest:
    """The activation or deactivation that is requested; the body is optional. Raises InvalidInput.

    `make_response`: makes the response to record for the request's idempotency key; without it the header is ignored.
    """
    given, errors = read_body(body or b"{}", ChangeReason, {"reason": check_reason})
    preconditions, header_errors = read_preconditions(request.headers)
    key, key_errors = (None, []) if make_response is None else read_idempotency_key(request, body, make_response)
    given = accepted(given, _path_errors(path), errors, header_errors, key_errors)
    wanted = WantedChangeSet(path[0], (WantedRoute(RouteKey(*path), is_active),))
    return ChangeRequest(wanted, attribution_of(request, given.reason), preconditions, key)


def accept_route_listing(request: AnyRequest, tenant: str) -> RouteListing:
    """The page of routes that is requested. Raises InvalidInput."""
    query, errors = read_parameters(request, RouteQuery, decode_cursor=decode_route)
    query = accepted(query, name_errors(tenant=tenant), errors)
    matching = RouteFilter(query.service, query.env, query.version, query.active)
    after = None if query.cursor is None else decode_route(query.cursor)
    return RouteListing(matching, after, query.limit, query.at_revision)


def _path_errors(path: Path) -> list[FieldError]:
    tenant, service, env, version = path
    return name_errors(tenant=tenant, service=service, env=env, version=version)
