"""Applies the sample catalogue over HTTP: `python -m examples.demo.apply_catalogue CONTROL_PLANE_URL KEY_FILE`.

Runs as a Job in clusters, with an admin's access key made for it, which it revokes at the end.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import httpx2

from examples.demo.catalogue import SampleRoute, read_catalogue

_SECONDS = 10.0
_ATTEMPTS = 60


async def apply(http: httpx2.AsyncClient, key_id: str) -> Counter[int]:
    """Every tenant and route of the catalogue, then the key's end. Returns how often each status came for a route.

    Raises HTTPError when something is refused.
    """
    routes = read_catalogue()
    for tenant in sorted({route.tenant for route in routes}):
        (await http.put(f"/api/v1/tenants/{tenant}")).raise_for_status()
    statuses: Counter[int] = Counter()
    for route in routes:
        body = {"url": route.url, "reason": "sample catalogue"}
        answer = await http.put(_path(route), json=body)
        statuses[answer.raise_for_status().status_code] += 1
    (await http.delete(f"/api/v1/access-keys/{key_id}")).raise_for_status()
    return statuses


def _path(route: SampleRoute) -> str:
    return f"/api/v1/tenants/{route.tenant}/routes/{route.service}/{route.env}/{route.version}"


async def until_ready(http: httpx2.AsyncClient) -> None:
    """Wait for the control plane. Raises HTTPError when it is not ready after a minute."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            (await http.get("/health/ready")).raise_for_status()
        except httpx2.HTTPError:
            if not left:
                raise
            await asyncio.sleep(1)
        else:
            return


async def main(url: str, key: str) -> None:
    """Apply all of it, and say so. `key`: an admin's access key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(trust_env=False, base_url=url, headers=headers, timeout=_SECONDS) as http:
        await until_ready(http)
        statuses = await apply(http, key.split("_")[1])
    sys.stdout.write(f"{statuses.total()} routes: {statuses[201]} created, {statuses[200]} kept or reset\n")


if __name__ == "__main__":
    base_url, key_file = sys.argv[1:]
    asyncio.run(main(base_url, Path(key_file).read_text().strip()))
