"""Change sets, desired sets and reverts, parsed, with every error reported at once."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from control_plane.domain.changes import WantedChangeSet, WantedRoute, inconsistencies
from control_plane.domain.intents import EVERYTHING, DesiredSet, Intent, Revert, RevertTo, Scope
from control_plane.domain.plans import Plan, Preconditions
from control_plane.domain.requests import ChangeRequest, IdempotencyKey
from control_plane.domain.route_url import RefusedUrl, UrlRules
from control_plane.errors import TooManyChanges
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
from shared.runtime.http.payload import read_body, read_element, read_list_body
from shared.schemas.events import MAX_CHANGES
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import FieldError

_B = TypeVar("_B", ChangeBody, DesiredRouteBody)
_T = TypeVar("_T", bound=ChangeOptions)

_CHECKS = {"reason": check_reason}


def accept_change_set(request: AnyRequest, tenant: str, body: bytes, rules: UrlRules) -> ChangeRequest:
    """The change set that is requested. Raises InvalidInput; TooManyChanges before any change is read."""
    options, elements, errors = read_list_body(body, ChangeOptions, "changes", _check_length, _CHECKS)
    if not elements and not errors:
        errors = [FieldError("/changes", "must contain at least one change")]
    routes = _read_routes("/changes", tenant, elements, ChangeBody, rules, errors)
    key, key_errors = read_idempotency_key(request, body, plan_response)
    return _change_request(
        request, tenant, options, errors + key_errors, lambda _: WantedChangeSet(tenant, routes), key
    )


def accept_desired_set(request: AnyRequest, tenant: str, body: bytes, rules: UrlRules) -> ChangeRequest:
    """The desired set that is requested. Raises InvalidInput."""
    options, elements, errors = read_list_body(body, MassChangeOptions, "routes", _accept_any_length, _CHECKS)
    query, query_errors = read_parameters(request, ScopeQuery)
    scope = EVERYTHING if query is None else Scope(query.service, query.env)
    routes = _read_routes("/routes", tenant, elements, DesiredRouteBody, rules, errors, scope.contains)

    def intent(options: MassChangeOptions) -> Intent:
        return DesiredSet(tenant, routes, scope, options.allow_mass_deactivation)

    return _change_request(request, tenant, options, errors + query_errors, intent)


def accept_revert(request: AnyRequest, tenant: str, revision: str, body: bytes) -> ChangeRequest:
    """The revert of one change set; the body is optional. Raises InvalidInput."""
    options, errors = read_body(body or b"{}", RevertOptions, _CHECKS)
    number, revision_errors = read_revision(revision)
    key, key_errors = read_idempotency_key(request, body, plan_response)

    def intent(options: RevertOptions) -> Intent:
        return Revert(tenant, number, options.force)

    return _change_request(request, tenant, options, errors + revision_errors + key_errors, intent, key)


def accept_revert_to(request: AnyRequest, tenant: str, revision: str, body: bytes) -> ChangeRequest:
    """The revert of all routes to a revision; the body is optional. Raises InvalidInput."""
    options, errors = read_body(body or b"{}", MassChangeOptions, _CHECKS)
    number, revision_errors = read_revision(revision)
    key, key_errors = read_idempotency_key(request, body, plan_response)

    def intent(options: MassChangeOptions) -> Intent:
        return RevertTo(tenant, number, options.allow_mass_deactivation)

    return _change_request(request, tenant, options, errors + revision_errors + key_errors, intent, key)


def _change_request(
    request: AnyRequest,
    tenant: str,
    options: _T | None,
    errors: list[FieldError],
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
    elements: Sequence[object],
    into: type[_B],
    rules: UrlRules,
    errors: list[FieldError],
    within: Callable[[RouteKey], bool] | None = None,
) -> tuple[WantedRoute, ...]:
    """The valid routes in the array at `pointer`. Adds the errors of the others to `errors`."""
    wanted: dict[int, WantedRoute] = {}
    for index, element in enumerate(elements):
        body, element_errors = read_element(element, into, f"{pointer}/{index}")
        route = None if body is None else _read_route(f"{pointer}/{index}", tenant, body, rules, element_errors)
        errors += element_errors
        if route is not None:
            wanted[index] = route
    errors += inconsistencies(pointer, tenant, {index: each.key for index, each in wanted.items()}, within)
    return tuple(wanted.values())


def _read_route(
    pointer: str, tenant: str, body: ChangeBody | DesiredRouteBody, rules: UrlRules, errors: list[FieldError]
) -> WantedRoute | None:
    wrong_names = name_errors(service=body.service, env=body.env, version=body.version)
    url, url_error = _read_url(body, rules)
    errors += [FieldError(pointer + each.pointer, each.detail) for each in wrong_names]
    if url_error is not None:
        errors.append(FieldError(f"{pointer}/url", url_error))
    if wrong_names or url_error or name_errors(tenant=tenant):
        return None
    is_active = body.is_active if isinstance(body, DesiredRouteBody) else body.op != "deactivate"
    return WantedRoute(RouteKey(tenant, body.service, body.env, body.version), is_active, url)


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


def _accept_any_length(_: int) -> None:
    """The limit is on the routes that change, which are known when the set is compared with the stored routes."""
