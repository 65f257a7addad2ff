"""Requests into what the use cases take, with every wrong part of one reported at once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from litestar import Request

from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.plans import Plan
from control_plane.domain.requests import ChangeRequest, IdempotencyKey, RecordedResponse
from control_plane.domain.route_url import UrlRules
from control_plane.domain.routes import RouteFilter, RoutePosition
from control_plane.http.common import cursors
from control_plane.http.common.preconditions import read_idempotency, read_preconditions
from control_plane.http.routes.payloads import ChangeReason, Nothing, PutRoute, RouteQuery, TenantQuery
from shared.runtime import correlation, tracing
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.payload import read_body, read_query
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import FieldError, InvalidInput

AnyRequest = Request[Any, Any, Any]
_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)


def traced(request: AnyRequest, name: str) -> AbstractContextManager[None]:
    """A span around what the request asks for, in the caller's trace."""
    return tracing.span(name, request.headers.get("traceparent"))


def accept_tenant(tenant: str) -> str:
    """A tenant's name from the path."""
    refuse(name_errors(tenant=tenant))
    return tenant


def accept_new_tenant(tenant: str, body: bytes) -> str:
    """A tenant's name from the path of what creates it; a body may be missing or empty."""
    _, errors = read_body(body or b"{}", Nothing)
    refuse(name_errors(tenant=tenant) + errors)
    return tenant


def accept_key(tenant: str, service: str, env: str, version: str) -> RouteKey:
    """A route's key from the path."""
    return RouteKey(tenant, service, env, version)


def accept_put(request: AnyRequest, path: tuple[str, str, str, str], body: bytes, rules: UrlRules) -> ChangeRequest:
    """What a PUT of a route asks for."""
    wanted, errors = read_body(body, PutRoute, {"url": rules.accept, "reason": refuse_nul})
    terms, header_errors = read_preconditions(request.headers)
    errors = path_errors(path) + errors + header_errors
    if wanted is None or errors:
        raise InvalidInput(tuple(errors))
    route = WantedRoute(RouteKey(*path), wanted.is_active, rules.accept(wanted.url))
    return ChangeRequest(WantedChangeSet(path[0], (route,)), attribute(request, wanted.reason), terms)


def accept_state_change(
    request: AnyRequest,
    path: tuple[str, str, str, str],
    body: bytes,
    *,
    is_active: bool,
    answer: Callable[[Plan], RecordedResponse] | None = None,
) -> ChangeRequest:
    """What an activation or deactivation asks for; a body may be missing or empty. With an `answer` it is repeatable."""
    given, errors = read_body(body or b"{}", ChangeReason, {"reason": refuse_nul})
    terms, header_errors = read_preconditions(request.headers)
    once, key_errors = (None, []) if answer is None else read_once(request, body, answer)
    errors = path_errors(path) + errors + header_errors + key_errors
    if given is None or errors:
        raise InvalidInput(tuple(errors))
    wanted = WantedChangeSet(path[0], (WantedRoute(RouteKey(*path), is_active),))
    return ChangeRequest(wanted, attribute(request, given.reason), terms, once)


def read_once(
    request: AnyRequest, body: bytes, answer: Callable[[_T], RecordedResponse]
) -> tuple[IdempotencyKey[_T] | None, list[FieldError]]:
    """The wish to have the request carried out once."""
    url = request.url
    return read_idempotency(request.headers, f"{request.method} {url.path}?{url.query}", body, answer)


@dataclass(frozen=True, slots=True)
class RouteList:
    """Which of a tenant's routes a list asks for; now, or as they were at a revision."""

    matching: RouteFilter
    after: RoutePosition | None
    limit: int
    at_revision: int | None


def accept_route_page(tenant: str, request: AnyRequest) -> RouteList:
    """What a list of routes asks for."""
    query, errors = read_parameters(request, RouteQuery)
    after, cursor_errors = read_cursor(request, cursors.route_position)
    errors = name_errors(tenant=tenant, **named(request, "service", "env", "version")) + errors + cursor_errors
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    matching = RouteFilter(query.service, query.env, query.version, query.active)
    return RouteList(matching, after, query.limit, query.at_revision)


def accept_tenant_page(request: AnyRequest) -> tuple[str | None, int]:
    """Which tenants a list asks for: start and limit."""
    query, errors = read_parameters(request, TenantQuery)
    after, cursor_errors = read_cursor(request, cursors.tenant_name)
    if query is None or errors or cursor_errors:
        raise InvalidInput(tuple(errors + cursor_errors))
    return after, query.limit


def path_errors(path: tuple[str, str, str, str]) -> list[FieldError]:
    tenant, service, env, version = path
    return name_errors(tenant=tenant, service=service, env=env, version=version)


def refuse_nul(reason: str | None) -> None:
    if reason and "\0" in reason:
        raise ValueError("must not hold a NUL character, which PostgreSQL cannot store")


def attribute(request: AnyRequest, reason: str | None) -> Attribution:
    """A change is attributed to the subject of the caller's credential."""
    return Attribution(principal_of(request).subject, reason, correlation.current() or correlation.generate())


def read_parameters(request: AnyRequest, into: type[_S]) -> tuple[_S | None, list[FieldError]]:
    return read_query(request.query_params.multi_items(), into)


def named(request: AnyRequest, *parameters: str) -> dict[str, str]:
    """Those of these parameters that the query string has."""
    return {name: request.query_params[name] for name in parameters if name in request.query_params}


def read_cursor(request: AnyRequest, decode: Callable[[str], _T]) -> tuple[_T | None, list[FieldError]]:
    given = request.query_params.get("cursor")
    try:
        return (None if given is None else decode(given)), []
    except cursors.BrokenCursor as error:
        return None, [FieldError("/cursor", str(error))]


def refuse(errors: list[FieldError]) -> None:
    if errors:
        raise InvalidInput(tuple(errors))
