"""Requests into what the use cases take, with every wrong part of one reported at once."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from litestar import Request

from control_plane.domain.changes import Attribution, WantedRoute
from control_plane.domain.route_url import UrlRules
from control_plane.domain.routes import RouteFilter, RoutePosition
from control_plane.http import cursors
from control_plane.http.payloads import ChangeReason, Nothing, PutRoute, RouteQuery, TenantQuery
from shared.runtime import correlation
from shared.runtime.http.access import principal_of
from shared.runtime.http.payload import read_body, read_query
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import FieldError, InvalidInput

AnyRequest = Request[Any, Any, Any]
_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)


def accept_tenant(tenant: str, body: bytes = b"") -> str:
    """A tenant's name from the path; a body may be missing or empty."""
    _, errors = read_body(body or b"{}", Nothing)
    _refuse(name_errors(tenant=tenant) + errors)
    return tenant


def accept_key(tenant: str, service: str, env: str, version: str) -> RouteKey:
    """A route's key from the path."""
    return RouteKey(tenant, service, env, version)


def accept_put(
    request: AnyRequest, path: tuple[str, str, str, str], body: bytes, rules: UrlRules
) -> tuple[WantedRoute, Attribution]:
    """What a PUT of a route asks for."""
    wanted, errors = read_body(body, PutRoute, {"url": rules.accept, "reason": _refuse_nul})
    errors = _path_errors(path) + errors
    if wanted is None or errors:
        raise InvalidInput(tuple(errors))
    route = WantedRoute(RouteKey(*path), wanted.is_active, rules.accept(wanted.url))
    return route, attribution_of(request, wanted.reason)


def accept_state_change(
    request: AnyRequest, path: tuple[str, str, str, str], body: bytes
) -> tuple[RouteKey, Attribution]:
    """What an activation or deactivation asks for; a body may be missing or empty."""
    given, errors = read_body(body or b"{}", ChangeReason, {"reason": _refuse_nul})
    errors = _path_errors(path) + errors
    if given is None or errors:
        raise InvalidInput(tuple(errors))
    return RouteKey(*path), attribution_of(request, given.reason)


def accept_route_page(tenant: str, request: AnyRequest) -> tuple[RouteFilter, RoutePosition | None, int]:
    """Which of a tenant's routes a list asks for: filter, start and limit."""
    query, errors = _query(request, RouteQuery)
    after, cursor_errors = read_cursor(request, cursors.route_position)
    given = {name: value for name in ("service", "env", "version") if (value := request.query_params.get(name))}
    errors = name_errors(tenant=tenant, **given) + errors + cursor_errors
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    return RouteFilter(query.service, query.env, query.version, query.active), after, query.limit


def accept_tenant_page(request: AnyRequest) -> tuple[str | None, int]:
    """Which tenants a list asks for: start and limit."""
    query, errors = _query(request, TenantQuery)
    after, cursor_errors = read_cursor(request, cursors.tenant_name)
    if query is None or errors or cursor_errors:
        raise InvalidInput(tuple(errors + cursor_errors))
    return after, query.limit


def _path_errors(path: tuple[str, str, str, str]) -> list[FieldError]:
    tenant, service, env, version = path
    return name_errors(tenant=tenant, service=service, env=env, version=version)


def _refuse_nul(reason: str | None) -> None:
    if reason and "\0" in reason:
        raise ValueError("must not hold a NUL character, which PostgreSQL cannot store")


def attribution_of(request: AnyRequest, reason: str | None) -> Attribution:
    """A change is attributed to the subject of the caller's credential."""
    return Attribution(principal_of(request).subject, reason, correlation.current() or correlation.generate())


def _query(request: AnyRequest, into: type[_S]) -> tuple[_S | None, list[FieldError]]:
    return read_query(dict(request.query_params), into)


def read_cursor(request: AnyRequest, decode: Callable[[str], _T]) -> tuple[_T | None, list[FieldError]]:
    """Where a list begins, or what is wrong with its cursor."""
    given = request.query_params.get("cursor")
    try:
        return (None if given is None else decode(given)), []
    except cursors.BrokenCursor as error:
        return None, [FieldError("/cursor", str(error))]


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise InvalidInput(tuple(errors))
