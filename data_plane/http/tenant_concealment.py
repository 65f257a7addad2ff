"""Requests for another tenant's routes get the response for a route that does not exist, headers included."""

from dataclasses import replace

from data_plane.domain.answer import Layer
from data_plane.errors import NoSuchTenant, RouteOfOtherTenant
from data_plane.http.responses import NO_ACTIVE_ROUTE
from shared.runtime.http.authentication import Connection
from shared.runtime.http.problems import ProblemType
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import InvalidInput

_PARTS = ("tenant", "service", "env", "version")


def concealing_error(connection: Connection) -> Exception:
    """The error for a path that names another tenant: the same as for a route or tenant that does not exist.

    Raises InvalidInput for a malformed path, as for every caller.
    """
    if set(connection.path_params) == {"tenant"}:
        return NoSuchTenant(valid_tenant(connection.path_params["tenant"]))
    return RouteOfOtherTenant(RouteKey(**{part: connection.path_params[part] for part in _PARTS}))


def valid_tenant(name: str) -> str:
    """The tenant's name, unchanged. Raises InvalidInput."""
    if errors := name_errors(tenant=name):
        raise InvalidInput(tuple(errors))
    return name


def concealed_route_problem(negative_ttl_seconds: float) -> ProblemType:
    """A 404 with the headers of a negative entry that was just loaded: concealment must not show in them."""
    headers = {
        "Cache-Control": f"max-age={int(negative_ttl_seconds)}",
        "Age": "0",
        "X-Cache": f"{Layer.L1}; negative",
        "X-Staleness-Bound": "0",
    }
    return replace(NO_ACTIVE_ROUTE, headers=headers)
