"""Access keys: a resolver accepts a tenant's key for that tenant's routes alone."""

from functools import partial

from examples.demo.client import Headers
from examples.demo.stage import Stage, eventually, require

EDITOR, RESOLVER = "ada@example.com", "shop-in-the-cluster"


async def create_keys(stage: Stage) -> None:
    """Create an editor key and a resolver key for each tenant"""
    client = stage.client
    tenants = sorted({route.tenant for route in stage.routes})
    for tenant in tenants:
        response = await client.create_tenant(tenant)
        require(response.status_code in (200, 201), f"tenant {tenant}: {response.status_code} {response.text}")
        for role, subject in (("editor", EDITOR), ("resolver", RESOLVER)):
            response = await client.create_key(tenant, role, subject)
            require(response.status_code == 201, f"key of {tenant}: {response.status_code}")
    stage.say(f"{len(client.keys)} keys for {len(tenants)} tenants, created with TM_ADMIN_KEY from .local/env")
    for resolver in client.urls.data_planes:
        for key in client.keys.values():
            await eventually(partial(_accepts, stage, resolver, key))
    await _show_refusals(stage)


async def _accepts(stage: Stage, resolver: str, key: Headers) -> bool:
    return (await stage.client.resolve(resolver, stage.moved, key)).status_code != 401


async def _show_refusals(stage: Stage) -> None:
    client, route, other_tenant = stage.client, stage.moved, stage.deactivated.tenant
    resolver = client.urls.data_planes[0]
    foreign = await client.resolve(resolver, route, client.keys[other_tenant, "resolver"])
    anonymous = await client.resolve(resolver, route, {})
    statuses = (foreign.status_code, anonymous.status_code)
    require(statuses == (404, 401), f"expected 404 and 401, got {foreign.text} {anonymous.text}")
    stage.say(f"{route.path} with the key of {other_tenant}: {foreign.status_code}, like a route that does not exist")
    stage.say(f"{route.path} without a key: {anonymous.status_code} {anonymous.json()['title']}")
