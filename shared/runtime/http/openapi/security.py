"""Access in the OpenAPI document: the security scheme, and each operation's problems by its row in the permission table."""

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Components, SecurityRequirement, SecurityScheme
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from shared.runtime.access.permissions import PERMISSIONS, TenantScope
from shared.runtime.http.authentication import FORBIDDEN, UNAUTHENTICATED
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import ProblemType

SECURITY: list[SecurityRequirement] = [{"bearer": []}]
PUBLIC: list[SecurityRequirement] = [{}]
"""For operations that need no credential."""

SECURITY_SCHEMES = Components(
    security_schemes={
        "bearer": SecurityScheme(
            type="http", scheme="bearer", description="An access key (`tm_…`), or a JWT of the configured issuer."
        )
    }
)
_CONCEALED = ProblemType(404, "not-found", "Not found, or owned by another tenant")


class AccessDocumentation(ReceiveRoutePlugin):
    """Adds the problems of authentication and authorization to every operation's documented responses."""

    def receive_route(self, route: BaseRoute) -> None:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                _document(handler)


def _document(handler: HTTPRouteHandler) -> None:
    operation = handler.opt.get("operation")
    if operation is None:
        return
    permission = PERMISSIONS.get(operation)
    concealed = (_CONCEALED,) if permission is not None and permission.scope is TenantScope.PATH else ()
    responses = problem_responses(UNAUTHENTICATED, FORBIDDEN, *concealed)
    handler.responses = {**responses, **(handler.responses or {})}
