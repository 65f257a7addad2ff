"""Change sets, desired sets and reverts, parsed, with every error reported at once."""

from collections.abc import Callable
from typing import TypeVar

from control_plane.domain.changes import WantedChangeSet, WantedRoute, inconsistencies
from control_plane.domain.intents import EVERYTHING, DesiredSet, Intent, Revert, RevertTo, Scope
from control_plane.domain.plans import Plan, Preconditions
from control_plane.domain.requests import ChangeRequest, IdempotencyKey
from control_plane.domain.route_url import RefusedUrl, UrlRules
from control_plane.errors import TooManyChanges, TooManyRoutes
from control_plane.http.changes.payloads import (
    ChangeBody,
    ChangeOptions,
    DesiredRouteBody,
    MassChangeOptions,
    RevertOptions,
    ScopeQuery,
    plan_response,
)
from control_plane.http.common.idempotency import read_idempotency_key
from control_plane.http.common.parsing import AnyRequest, accepted, attribution_of, read_parameters, read_revision
from control_plane.http.common.preconditions import refuse_preconditions
from control_plane.http.common.request_fields import check_reason
from shared.runtime.http.list_payload import Elements, read_list_body
from shared.runtime.http.payload import read_body
from shared.schemas.events import MAX_CHANGES
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import FieldError, FieldErrors

_B = TypeVar("_B", ChangeBody, DesiredRouteBody)
_T = TypeVar("_T", bound=ChangeOptions)

_CHECKS = {"reason": check_reason}


def accept_change_set(request: AnyRequest, tenant: str, body: bytes, rules: UrlRules) -> ChangeRequest:
    """The change set that is requested. Raises InvalidInput; TooManyChanges before any change is read."""
    options, elements, errors = read_list_body(body, ChangeOptions, "changes", ChangeBody, _check_length, _CHECKS)
    if not elements and not errors:
        errors.add("/changes", "must contain at least one change")
    routes = _read_routes("/changes", tenant, elements, rules, errors)
    key, key_errors = read_idempotency_key(request, body, plan_response)
    errors.extend(key_errors)
    return _change_request(request, tenant, options, errors, lambda _: WantedChangeSet(tenant, routes), key)


def accept_desired_set(
    request: AnyRequest, tenant: str, body: bytes, rules: UrlRules, max_routes: int
) -> ChangeRequest:
    """The desired set that is requested, of at most `max_routes`. Raises InvalidInput; TooManyRoutes before one is read."""

    def check_length(routes: int) -> None:
        if routes > max_routes:
            raise TooManyRoutes(routes, max_routes)

    options, elements, errors = read_list_body(
        body, MassChangeOptions, "routes", DesiredRouteBody, check_length, _CHECKS
    )
    query, query_errors = read_parameters(request, ScopeQuery)
    scope = EVERYTHING if query is None else Scope(query.service, query.env)
    routes = _read_routes("/routes", tenant, elements, rules, errors, scope.contains)

    def intent(options: MassChangeOptions) -> Intent:
        return DesiredSet(tenant, routes, scope, options.allow_mass_deactivation)

    errors.extend(query_errors)
    return _change_request(request, tenant, options, errors, intent)


def accept_revert(request: AnyRequest, tenant: str, revision: str, body: bytes) -> ChangeRequest:
    """The revert of one change set; the body is optional. Raises InvalidInput."""
    options, errors = read_body(body or b"{}", RevertOptions, _CHECKS)
    number, revision_errors = read_revision(revision)
    key, key_errors = read_idempotency_key(request, body, plan_response)

    def intent(options: RevertOptions) -> Intent:
        return Revert(tenant, number, options.force)

    return _change_request(request, tenant, options, FieldErrors(errors, revision_errors, key_errors), intent, key)


def accept_revert_to(request: AnyRequest, tenant: str, revision: str, body: bytes) -> ChangeRequest:
    """The revert of all routes to a revision; the body is optional. Raises InvalidInput."""
    options, errors = read_body(body or b"{}", MassChangeOptions, _CHECKS)
    number, revision_errors = read_revision(revision)
    key, key_errors = read_idempotency_key(request, body, plan_response)

    def intent(options: MassChangeOptions) -> Intent:
        return RevertTo(tenant, number, options.allow_mass_deactivation)

    return _change_request(request, tenant, options, FieldErrors(errors, revision_errors, key_errors), intent, key)


def _change_request(
    request: AnyRequest,
    tenant: str,
    options: _T | None,
    errors: FieldErrors,
    intent: Callable[[_T], Intent],
    key: IdempotencyKey[Plan] | None = None,
) -> ChangeRequest:
    given = accepted(options, name_errors(tenant=tenant), errors, refuse_preconditions(request.headers))
    preconditions = Preconditions(expected_revision=given.expected_revision)
    attribution = attribution_of(request, given.reason)
    return ChangeRequest(intent(given), attribution, preconditions, key, dry_run=given.dry_run)


def _read_routes(
    pointer: str,
    tenant: str,
    elements: Elements[_B],
    rules: UrlRules,
    errors: FieldErrors,
    within: Callable[[RouteKey], bool] | None = None,
) -> tuple[WantedRoute, ...]:
    """The valid routes in the array at `pointer`. Adds the errors of the others to `errors`."""
    wanted: dict[int, WantedRoute] = {}
    can_be_kept = not name_errors(tenant=tenant)
    for index, body in elements:
        url, found = _read_route(body, rules)
        errors.extend(FieldError(f"{pointer}/{index}{each.pointer}", each.detail) for each in found)
        if can_be_kept and not found:
            is_active = body.is_active if isinstance(body, DesiredRouteBody) else body.op != "deactivate"
            wanted[index] = WantedRoute(RouteKey(tenant, body.service, body.env, body.version), is_active, url)
    errors.extend(elements.errors)
    errors.extend(inconsistencies(pointer, tenant, {index: each.key for index, each in wanted.items()}, within))
    return tuple(wanted.values())


def _read_route(body: ChangeBody | DesiredRouteBody, rules: UrlRules) -> tuple[str | None, list[FieldError]]:
    """The route's URL in its stored form, or None, and the route's errors."""
    errors = name_errors(service=body.service, env=body.env, version=body.version)
    url, url_error = _read_url(body, rules)
    if url_error is not None:
        errors.append(FieldError("/url", url_error))
    return url, errors


def _read_url(body: ChangeBody | DesiredRouteBody, rules: UrlRules) -> tuple[str | None, str | None]:
    """The URL in its stored form, or None, and its error."""
    if isinstance(body, ChangeBody) and body.op != "put":
        return None, f"is not allowed with op {body.op}, which keeps the route's url" if body.url is not None else None
    if body.url is None:
        return None, "is required with op put"
    try:
        return rules.accept(body.url), None
    except RefusedUrl as error:
        return None, str(error)


def _check_length(changes: int) -> None:
    if changes > MAX_CHANGES:
        raise TooManyChanges(changes, MAX_CHANGES)
