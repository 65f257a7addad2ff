"""Another tenant's route is answered as one that is not there, headers and all."""

from dataclasses import replace

from data_plane.domain.answer import Layer
from data_plane.errors import AnotherTenants
from data_plane.http.answers import NO_ACTIVE_ROUTE
from shared.runtime.http.access import Connection
from shared.runtime.http.problems import Kind
from shared.schemas.identity import RouteKey

_PARTS = ("tenant", "service", "env", "version")


def another_tenants(connection: Connection) -> Exception:
    """The error for the route in the path. Raises InvalidInput when that is no route's, as it does for everyone."""
    return AnotherTenants(RouteKey(**{part: connection.path_params[part] for part in _PARTS}))


def hidden_route(negative_life: float) -> Kind:
    """As what this process has just learned to be absent; `negative_life` in seconds."""
    headers = {
        "Cache-Control": f"max-age={int(negative_life)}",
        "Age": "0",
        "X-Cache": f"{Layer.L1}; negative",
        "X-Staleness-Bound": "0",
    }
    return replace(NO_ACTIVE_ROUTE, headers=headers)
