"""The three services' APIs, as the demo calls them."""

import secrets
from dataclasses import dataclass, field

import httpx2

from examples.demo.catalogue import SampleRoute
from examples.local_urls import LocalUrls

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class DemoClient:
    """Calls the control plane as an editor of the route's tenant, and the resolvers with the tenant's resolver key."""

    urls: LocalUrls
    http: httpx2.AsyncClient
    keys: dict[tuple[str, str], Headers] = field(default_factory=dict, repr=False)
    """The header with an access key, by tenant and role."""

    async def create_tenant(self, tenant: str) -> httpx2.Response:
        return await self.http.put(self._tenant(tenant), headers=self.urls.admin)

    async def create_key(self, tenant: str, role: str, subject: str) -> httpx2.Response:
        """Create an access key as the admin, and keep it for later calls."""
        body = {"subject": subject, "role": role}
        response = await self.http.post(f"{self._tenant(tenant)}/access-keys", headers=self.urls.admin, json=body)
        if response.status_code == 201:
            self.keys[tenant, role] = {"Authorization": f"Bearer {response.json()['key']}"}
        return response

    async def put(self, route: SampleRoute, url: str, reason: str, trace_id: str = "") -> httpx2.Response:
        """Give the route a URL. `trace_id`: of the sampled trace that the request belongs to."""
        body = {"url": url, "reason": reason}
        trace = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"} if trace_id else {}
        return await self.http.put(self._route(route), headers={**self._editor(route), **trace}, json=body)

    async def deactivate(self, route: SampleRoute, reason: str) -> httpx2.Response:
        url = f"{self._route(route)}/deactivate"
        return await self.http.post(url, headers=self._editor(route), json={"reason": reason})

    async def propagation(self, route: SampleRoute, revision: str, wait_seconds: float) -> httpx2.Response:
        """The propagation of a change set, once it is live everywhere or the wait is over."""
        url = f"{self._tenant(route.tenant)}/changes/{revision}/propagation"
        return await self.http.get(url, params={"wait": wait_seconds}, headers=self._editor(route))

    async def resolve(self, resolver: str, route: SampleRoute, key: Headers | None = None) -> httpx2.Response:
        """Resolve the route with this key; None is the tenant's resolver key."""
        headers = self.keys[route.tenant, "resolver"] if key is None else key
        return await self.http.get(f"{resolver}/api/v1/resolve/{route.path}", headers=headers)

    async def audit_events(self, route: SampleRoute) -> httpx2.Response:
        """The audit trail of the route, newest event first."""
        url = f"{self.urls.audit}/api/v1/audit/route"
        return await self.http.get(url, params=route.names, headers=self._editor(route))

    def _tenant(self, tenant: str) -> str:
        return f"{self.urls.control_plane}/api/v1/tenants/{tenant}"

    def _route(self, route: SampleRoute) -> str:
        return f"{self._tenant(route.tenant)}/routes/{route.service}/{route.env}/{route.version}"

    def _editor(self, route: SampleRoute) -> Headers:
        return self.keys[route.tenant, "editor"]
