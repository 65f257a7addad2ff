"""What the OpenAPI document says of access, for every operation by its row in the table of permissions."""

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from shared.runtime.access.permissions import PERMISSIONS, TenantScope
from shared.runtime.http.authentication import FORBIDDEN, UNAUTHENTICATED
from shared.runtime.http.problems import ProblemType, documented

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]
SECURITY_SCHEMES = Components(
    security_schemes={
        "bearer": SecurityScheme(
            type="http", scheme="bearer", description="An access key (`tm_…`), or a JWT of the configured issuer."
        )
    }
)
_ABSENT = ProblemType(404, "absent", "There is no such thing, or it is another tenant's")


class AccessDocumentation(ReceiveRoutePlugin):
    """Adds the problems that the access layer answers with to every operation's documented responses."""

    def receive_route(self, route: BaseRoute) -> None:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                _document(handler)


def _document(handler: HTTPRouteHandler) -> None:
    operation = handler.opt.get("operation")
    if operation is None:
        return
    permission = PERMISSIONS.get(operation)
    hidden = (_ABSENT,) if permission is not None and permission.bound is TenantScope.PATH else ()
    handler.responses = {**documented(UNAUTHENTICATED, FORBIDDEN, *hidden), **(handler.responses or {})}
