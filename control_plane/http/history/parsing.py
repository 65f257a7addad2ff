"""Requests for a tenant's history, parsed, with every error reported at once."""

from collections.abc import Iterable, Mapping
from typing import Any

from control_plane.domain.routes import RoutePosition
from control_plane.http.common.cursors import decode_revision, decode_route
from control_plane.http.common.parsing import AnyRequest, accepted, read_parameters, read_revision
from control_plane.http.history.payloads import DiffQuery, HistoryQuery
from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError


def accept_history(request: AnyRequest, tenant: str) -> tuple[HistoryQuery, int | None]:
    """The query, and the revision before which the requested page begins. Raises InvalidInput."""
    query, errors = read_parameters(request, HistoryQuery, decode_cursor=decode_revision)
    query = accepted(query, name_errors(tenant=tenant), errors)
    return query, None if query.cursor is None else decode_revision(query.cursor)


def accept_revision(tenant: str, revision: str) -> int:
    """The revision in the path. Raises InvalidInput."""
    number, errors = read_revision(revision)
    return accepted(number, name_errors(tenant=tenant), errors)


def accept_diff(request: AnyRequest, tenant: str) -> tuple[DiffQuery, RoutePosition | None]:
    """The query, and the position after which the requested page begins. Raises InvalidInput."""
    query, errors = read_parameters(request, DiffQuery, decode_cursor=decode_route, rule=_revisions_in_order)
    query = accepted(query, name_errors(tenant=tenant), errors)
    return query, None if query.cursor is None else decode_route(query.cursor)


def _revisions_in_order(values: Mapping[str, Any]) -> Iterable[FieldError]:
    if "from" in values and "to" in values and values["from"] > values["to"]:
        yield FieldError("/from", "must not be above `to`")
