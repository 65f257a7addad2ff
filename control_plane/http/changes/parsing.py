"""Requests for change sets, desired sets and undoing, with every wrong part of one reported at once."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from control_plane.domain.changes import WantedChangeSet, WantedRoute, inconsistencies
from control_plane.domain.intents import EVERYTHING, DesiredSet, Revert, RevertTo, Scope
from control_plane.domain.plans import Terms
from control_plane.domain.requests import ChangeRequest
from control_plane.domain.route_url import RefusedUrl, UrlRules
from control_plane.errors import TooManyChanges
from control_plane.http.changes.payloads import (
    ChangeBody,
    ChangeTerms,
    DesiredRouteBody,
    RevertTerms,
    SweepingTerms,
)
from control_plane.http.common.preconditions import refuse_preconditions
from control_plane.http.common.responses import plan_responses
from control_plane.http.routes.parsing import (
    AnyRequest,
    attribute,
    named,
    read_once,
    read_parameters,
    refuse,
)
from control_plane.http.routes.payloads import ScopeQuery
from shared.runtime.http.payload import read_body, read_element, read_list_body
from shared.schemas.events import MAX_CHANGES
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import FieldError

_B = TypeVar("_B", ChangeBody, DesiredRouteBody)
_T = TypeVar("_T", bound=ChangeTerms)

_REVISION_CHARACTERS = 18
"""Digits of the largest revision that is read; it fits into PostgreSQL's bigint."""


def accept_change_set(request: AnyRequest, tenant: str, body: bytes, rules: UrlRules) -> ChangeRequest:
    """What a POST of a change set asks for. Raises TooManyChanges before anything else is looked at."""
    terms, elements, errors = read_list_body(body, ChangeTerms, "changes", _refuse_too_many)
    if not elements and not errors:
        errors = [FieldError("/changes", "must name at least one change")]
    routes = _read_routes("/changes", tenant, elements, ChangeBody, rules, errors)
    return _request(request, body, terms, errors, tenant, lambda _: WantedChangeSet(tenant, routes))


def accept_desired_set(request: AnyRequest, tenant: str, body: bytes, rules: UrlRules) -> ChangeRequest:
    """What a PUT of the whole set of routes asks for."""
    terms, elements, errors = read_list_body(body, SweepingTerms, "routes", _accept_any_number)
    query, query_errors = read_parameters(request, ScopeQuery)
    errors += query_errors + name_errors(**named(request, "service", "env"))
    scope = Scope(query.service, query.env) if query else EVERYTHING
    routes = _read_routes("/routes", tenant, elements, DesiredRouteBody, rules, errors, scope.holds)
    return _request(
        request,
        None,
        terms,
        errors,
        tenant,
        lambda problem_response: DesiredSet(tenant, routes, scope, problem_response.allow_mass_deactivation),
    )


def accept_revert(request: AnyRequest, tenant: str, revision: str, body: bytes) -> ChangeRequest:
    """What a POST that undoes a change set asks for; a body may be missing or empty."""
    terms, errors = read_body(body or b"{}", RevertTerms)
    number = read_revision(revision, errors)
    return _request(
        request, body, terms, errors, tenant, lambda problem_response: Revert(tenant, number, problem_response.force)
    )


def accept_revert_to(request: AnyRequest, tenant: str, revision: str, body: bytes) -> ChangeRequest:
    """What a POST that goes back to a revision asks for; a body may be missing or empty."""
    terms, errors = read_body(body or b"{}", SweepingTerms)
    number = read_revision(revision, errors)
    return _request(
        request,
        body,
        terms,
        errors,
        tenant,
        lambda problem_response: RevertTo(tenant, number, problem_response.allow_mass_deactivation),
    )


def read_revision(text: str, errors: list[FieldError]) -> int:
    """A revision from the path; what is wrong with it is added to the errors."""
    if text.isascii() and text.isdecimal() and len(text) <= _REVISION_CHARACTERS:
        return int(text)
    errors.append(FieldError("/revision", f"must be a revision, such as 42; got {text[:80]!r}"))
    return 0


def _request(
    request: AnyRequest,
    repeatable: bytes | None,
    given: _T | None,
    errors: list[FieldError],
    tenant: str,
    intent: Callable[[_T], Any],
) -> ChangeRequest:
    once, key_errors = (None, []) if repeatable is None else read_once(request, repeatable, plan_responses)
    if given is not None and given.reason and "\0" in given.reason:
        errors.append(FieldError("/reason", "must not hold a NUL character, which PostgreSQL cannot store"))
    refuse(name_errors(tenant=tenant) + errors + key_errors + refuse_preconditions(request.headers))
    assert given is not None  # noqa: S101 - there would be errors
    terms = Terms(expected_revision=given.expected_revision, dry_run=given.dry_run)
    return ChangeRequest(intent(given), attribute(request, given.reason), terms, once)


def _read_routes(
    pointer: str,
    tenant: str,
    elements: Sequence[object],
    into: type[_B],
    rules: UrlRules,
    errors: list[FieldError],
    within: Callable[[RouteKey], bool] | None = None,
) -> tuple[WantedRoute, ...]:
    wanted: dict[int, WantedRoute] = {}
    for place, element in enumerate(elements):
        body, wrong = read_element(element, into, f"{pointer}/{place}")
        route = None if body is None else _wanted(f"{pointer}/{place}", tenant, body, rules, wrong)
        errors += wrong
        if route is not None:
            wanted[place] = route
    errors += inconsistencies(pointer, tenant, {place: each.key for place, each in wanted.items()}, within)
    return tuple(wanted.values())


def _wanted(
    pointer: str, tenant: str, body: ChangeBody | DesiredRouteBody, rules: UrlRules, wrong: list[FieldError]
) -> WantedRoute | None:
    errors = name_errors(service=body.service, env=body.env, version=body.version)
    url, url_error = _read_url(body, rules)
    wrong += [FieldError(pointer + each.pointer, each.detail) for each in errors]
    if url_error is not None:
        wrong.append(FieldError(f"{pointer}/url", url_error))
    if errors or url_error or name_errors(tenant=tenant):
        return None
    is_active = body.is_active if isinstance(body, DesiredRouteBody) else body.op != "deactivate"
    return WantedRoute(RouteKey(tenant, body.service, body.env, body.version), is_active, url)


def _read_url(body: ChangeBody | DesiredRouteBody, rules: UrlRules) -> tuple[str | None, str | None]:
    """The URL as it is stored, and what is wrong with it."""
    if isinstance(body, ChangeBody) and body.op != "put":
        return None, f"is not for op {body.op}, which keeps the route's url" if body.url is not None else None
    if body.url is None:
        return None, "is required for op put"
    try:
        return rules.accept(body.url), None
    except RefusedUrl as error:
        return None, str(error)


def _refuse_too_many(changes: int) -> None:
    if changes > MAX_CHANGES:
        raise TooManyChanges(changes, MAX_CHANGES)


def _accept_any_number(_: int) -> None:
    """Only what changes is limited, and known when the set is compared with what stands."""
