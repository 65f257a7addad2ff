"""The applications of the three services on fakes, with access control, and a list of their endpoints."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp

from control_plane.composition.app import build_app as build_control
from control_plane.composition.connect import new_health as control_health
from control_plane.settings import ControlPlaneSettings
from data_plane.composition.app import build_app as build_resolver
from shared.runtime.health import Health
from shared.runtime.service import Service
from tests.fakes.audit_ports import audit_app
from tests.fakes.control_plane_ports import fake_ports
from tests.fakes.control_plane_registry import FakeRegistry
from tests.fakes.data_plane_world import World
from tests.support.access import AccessFixture

PUBLIC = ("/health/", "/metrics", "/schema")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path of one service."""

    service: Service
    method: str
    template: str
    operation: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


def app_of(service: Service, fixture: AccessFixture) -> ASGIApp:
    """The application of a service, without routes."""
    if service is Service.CONTROL_PLANE:
        return build_control(
            fake_ports(FakeRegistry()),
            settings=ControlPlaneSettings(),
            health=control_health(),
            metrics=fixture.metrics,
            access=fixture.access,
        )
    if service is Service.DATA_PLANE:
        instance = World().instance()
        return build_resolver(
            instance.core, instance.settings, access=fixture.access, health=Health({}), metrics=fixture.metrics
        )
    return audit_app(access=fixture.access, metrics=fixture.metrics)


@cache
def shared_app_of(service: Service) -> tuple[AccessFixture, ASGIApp]:
    """One application shared by tests that do not depend on its state: building one takes longer than a request."""
    fixture = AccessFixture(service)
    return fixture, app_of(service, fixture)


def endpoints() -> Iterator[Endpoint]:
    """Every endpoint of every service that needs a credential."""
    for service in Service:
        for route in litestar_of(app_of(service, AccessFixture(service))).routes:
            if isinstance(route, HTTPRoute) and not route.path.startswith(PUBLIC):
                yield from _of(service, route)


def litestar_of(app: ASGIApp) -> Litestar:
    """The Litestar application inside its middlewares."""
    inner: Any = app
    while not isinstance(inner, Litestar):
        inner = inner._app  # noqa: SLF001
    return inner


def _of(service: Service, route: HTTPRoute) -> Iterator[Endpoint]:
    for method, (handler, _) in route.route_handler_map.items():
        if method != "OPTIONS":
            yield Endpoint(service, method, route.path_format, handler.opt.get("operation"))
