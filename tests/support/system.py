"""The whole product as real processes, and requests to it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from deploy.local.server import Server
from deploy.local.services import Services
from deploy.local.stack import Stack
from deploy.local.state import StateDirectory
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.secrets_in_logs import files_with_secrets
from tests.support.waiting import eventually


class System:
    """One control plane, two resolvers and one audit consumer on the real servers."""

    def __init__(
        self,
        services: Services,
        stack: Stack,
        state: StateDirectory,
        http: httpx2.AsyncClient,
        receiver: OtlpReceiver,
    ) -> None:
        """`receiver`: where the services export their spans to."""
        self.services = services
        self.stack = stack
        self.state = state
        self.http = http
        self.receiver = receiver

    @property
    def control_url(self) -> str:
        return self.services.control_plane.urls[0]

    @property
    def resolver_urls(self) -> list[str]:
        return [each.urls[0] for each in self.services.data_planes]

    @property
    def audit_url(self) -> str:
        return self.services.audit_consumer.urls[0]

    async def new_tenant(self) -> str:
        """Creates a tenant with a unique name."""
        name = f"tenant-{secrets.token_hex(6)}"
        (await self.http.put(f"{self.control_url}/api/v1/tenants/{name}")).raise_for_status()
        return name

    async def new_key(self) -> RouteKey:
        """A route key of a new tenant, without a route."""
        return RouteKey(await self.new_tenant(), "payments", "prod", "v1")

    async def access_key(self, tenant: str, role: Role) -> str:
        """Creates an access key and waits until every service accepts it; returns its text."""
        url = f"{self.control_url}/api/v1/tenants/{tenant}/access-keys"
        answer = await self.http.post(url, json={"subject": "tests", "role": role})
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["key"]
        await eventually(lambda: self.is_known(key))
        return key

    async def is_known(self, key: str) -> bool:
        """Whether no service answers 401 to this access key."""
        headers = {"Authorization": f"Bearer {key}"}
        anywhere = [f"{each}/api/v1/nowhere" for each in (self.control_url, *self.resolver_urls, self.audit_url)]
        return 401 not in [(await self.http.get(path, headers=headers)).status_code for path in anywhere]

    async def put(self, key: RouteKey, url: str, **headers: str) -> httpx2.Response:
        """Writes a route; an error response fails the test."""
        answer = await self.http.put(self.control_path(key), json={"url": url}, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return answer

    def control_path(self, key: RouteKey) -> str:
        """The URL of the route in the control plane."""
        return f"{self.control_url}/api/v1/tenants/{key.tenant}/routes/{key.service}/{key.env}/{key.version}"

    async def resolve(self, resolver: str, key: RouteKey) -> httpx2.Response:
        """The response of the resolver at this URL for the key."""
        return await self.http.get(f"{resolver}/api/v1/resolve/{key.tenant}/{key.service}/{key.env}/{key.version}")

    async def resolved_url(self, resolver: str, key: RouteKey) -> str | None:
        """The resolved URL; None for a 404. Any other status fails the test."""
        answer = await self.resolve(resolver, key)
        assert answer.status_code in (200, 404), answer.text
        return str(answer.json()["url"]) if answer.status_code == 200 else None

    async def until_resolved(self, key: RouteKey, url: str | None, *, within: float = 15.0) -> None:
        """Waits until every resolver returns this URL (None: a 404). `within` is in seconds."""
        for resolver in self.resolver_urls:

            async def as_wanted(resolver: str = resolver) -> bool:
                return await self.resolved_url(resolver, key) == url

            await eventually(as_wanted, within=within)

    async def audit_of(self, key: RouteKey) -> list[dict[str, Any]]:
        """The audit events of the route, newest first."""
        parts = {"tenant": key.tenant, "service": key.service, "env": key.env, "version": key.version}
        answer = await self.http.get(f"{self.audit_url}/api/v1/audit/route", params=parts)
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    async def until_audited(self, key: RouteKey, count: int, *, within: float = 30.0) -> list[dict[str, Any]]:
        """Waits until the audit trail has at least `count` events of the route. `within` is in seconds."""

        async def enough() -> list[dict[str, Any]]:
            events = await self.audit_of(key)
            return events if len(events) >= count else []

        return await eventually(enough, within=within)

    def log_of(self, server: Server) -> str:
        """The log of the process so far."""
        return self.state.log(server.name).read_text()


@asynccontextmanager
async def running(stack: Stack, state: Path) -> AsyncIterator[System]:
    """Starts the three services, and always stops them at the end."""
    with otlp_receiver() as receiver:
        services = Services(stack, state, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        try:
            await services.start()
            admin = {"Authorization": f"Bearer {services.admin_key.text()}"}
            async with httpx2.AsyncClient(trust_env=False, timeout=10, headers=admin) as http:
                yield System(services, stack, StateDirectory(state), http, receiver)
        finally:
            await services.stop()
    assert not files_with_secrets(StateDirectory(state).logs, stack.state.logs)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The product on the session's servers, for the tests of one package.

    The package's conftest imports this fixture; the tests of other packages then have the topics to themselves.
    A test that stops or freezes a server restores it before it ends.
    """
    async with running(stack, tmp_path_factory.mktemp("services")) as system:
        yield system
