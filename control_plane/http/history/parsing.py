"""Requests for a tenant's history, with every wrong part of one reported at once."""

from datetime import UTC, datetime

import msgspec

from control_plane.domain.routes import RoutePosition
from control_plane.http.changes.parsing import read_revision
from control_plane.http.common import cursors
from control_plane.http.history.payloads import DiffQuery, HistoryQuery
from control_plane.http.propagation.payloads import PropagationQuery
from control_plane.http.routes.parsing import AnyRequest, read_cursor, read_parameters, refuse
from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError, InvalidInput


def accept_history(request: AnyRequest, tenant: str) -> tuple[HistoryQuery, int | None]:
    """Which change sets a list asks for, and before which revision it goes on."""
    query, errors = read_parameters(request, HistoryQuery)
    before, cursor_errors = read_cursor(request, cursors.revision_before)
    errors = name_errors(tenant=tenant) + errors + cursor_errors
    if query is not None and query.since is not None and not _is_moment(request.query_params["since"]):
        errors = [*errors, FieldError("/since", "must be a moment of RFC 3339, such as 2026-03-01T09:30:00Z")]
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    return query, before


def _is_moment(text: str) -> bool:
    """Whether it is no number, which a query string's reading would take too, and can be said in UTC."""
    try:
        msgspec.convert(text, datetime).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


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
    query, errors = read_parameters(request, DiffQuery)
    after, cursor_errors = read_cursor(request, cursors.route_position)
    if query is not None and query.from_revision > query.to_revision:
        errors = [*errors, FieldError("/from", "must not be above `to`")]
    errors = name_errors(tenant=tenant) + errors + cursor_errors
    if query is None or errors:
        raise InvalidInput(tuple(errors))
    return query, after
