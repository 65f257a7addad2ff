"""What is another tenant's is answered as what is not there, headers and all."""

from dataclasses import replace

from data_plane.domain.answer import Layer
from data_plane.errors import AnotherTenants, NoSuchTenant
from data_plane.http.responses import NO_ACTIVE_ROUTE
from shared.runtime.http.authentication import Connection
from shared.runtime.http.problems import ProblemType
from shared.schemas.identity import RouteKey, name_errors
from shared.schemas.validation import InvalidInput

_PARTS = ("tenant", "service", "env", "version")


def another_tenants(connection: Connection) -> Exception:
    """The error for the route, or the tenant, in the path. Raises InvalidInput when it can be no such thing, as it does
    for everyone.
    """
    if set(connection.path_params) == {"tenant"}:
        return NoSuchTenant(valid_tenant(connection.path_params["tenant"]))
    return AnotherTenants(RouteKey(**{part: connection.path_params[part] for part in _PARTS}))


def valid_tenant(name: str) -> str:
    """The name of a tenant. Raises InvalidInput."""
    if wrong := name_errors(tenant=name):
        raise InvalidInput(tuple(wrong))
    return name


def hidden_route(negative_ttl_seconds: float) -> ProblemType:
    """As what this process has just learned to be absent; `negative_life` in seconds."""
    headers = {
        "Cache-Control": f"max-age={int(negative_ttl_seconds)}",
        "Age": "0",
        "X-Cache": f"{Layer.L1}; negative",
        "X-Staleness-Bound": "0",
    }
    return replace(NO_ACTIVE_ROUTE, headers=headers)
