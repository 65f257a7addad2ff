"""Requests for a tenant's history, with every wrong part of one reported at once."""

from collections.abc import Iterable, Mapping
from typing import Any

from control_plane.domain.routes import RoutePosition
from control_plane.http.changes.parsing import read_revision
from control_plane.http.common import cursors
from control_plane.http.history.payloads import DiffQuery, HistoryQuery
from control_plane.http.propagation.payloads import PropagationQuery
from control_plane.http.routes.parsing import AnyRequest, read_cursor, read_parameters, refuse
from shared.runtime.http.payload import read_query
from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError, InvalidInput


def accept_history(request: AnyRequest, tenant: str) -> tuple[HistoryQuery, int | None]:
    """Which change sets a list asks for, and before which revision it goes on."""
    query, errors = read_parameters(request, HistoryQuery)
    before, cursor_errors = read_cursor(request, cursors.revision_before)
    errors = name_errors(tenant=tenant) + errors + cursor_errors
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    return query, before


def accept_revision(tenant: str, revision: str) -> int:
    """Which revision is asked for."""
    errors = name_errors(tenant=tenant)
    number = read_revision(revision, errors)
    refuse(errors)
    return number


def accept_propagation(request: AnyRequest, tenant: str, revision: str) -> tuple[int, float]:
    """Which change set is asked about, and how many seconds the caller would wait."""
    query, errors = read_parameters(request, PropagationQuery)
    errors = name_errors(tenant=tenant) + errors
    number = read_revision(revision, errors)
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    return number, query.wait


def accept_diff(request: AnyRequest, tenant: str) -> tuple[DiffQuery, RoutePosition | None]:
    """Which revisions are to be compared, and after which route a page goes on."""
    query, errors = read_query(request.query_params.multi_items(), DiffQuery, rule=_from_not_above_to)
    after, cursor_errors = read_cursor(request, cursors.route_position)
    errors = name_errors(tenant=tenant) + errors + cursor_errors
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    return query, after


def _from_not_above_to(values: Mapping[str, Any]) -> Iterable[FieldError]:
    lower, upper = values.get("from", 0), values.get("to")
    return [FieldError("/from", "must not be above `to`")] if upper is not None and lower > upper else []
