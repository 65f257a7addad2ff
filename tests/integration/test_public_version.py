"""What real processes tell callers without a credential about the release and the software that runs."""

import asyncio
import platform
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest

from shared.runtime.service import Service
from shared.runtime.version import VERSION
from tests.support.service_process import ServiceProcess, service_process

PUBLIC_PATHS = ("/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/metrics", "/health/live", "/health/ready")
PATHS = (*PUBLIC_PATHS, "/api/v1/none", "/none")
SECRETS = (
    VERSION,
    platform.python_version(),
    "granian",
    "litestar",
    version("granian"),
    version("litestar"),
    "uvicorn",
)


async def texts(running: ServiceProcess) -> dict[str, str]:
    """The head and body of the response to each request, in lower case, without the schema's and metrics' own version."""
    return {
        f"{method} {path}": _text(await running.client.request(method, path))
        for path in PATHS
        for method in ("GET", "HEAD", "OPTIONS", "DELETE")
    }


def _text(response: httpx2.Response) -> str:
    head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    return f"{head}\n\n{response.text}".lower()


async def malformed(running: ServiceProcess) -> str:
    """The response to a request that the HTTP server itself refuses."""
    reader, writer = await asyncio.open_connection(running.client.base_url.host, running.client.base_url.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
    async with asyncio.timeout(5):
        text = (await reader.read()).decode().lower()
    writer.close()
    return text


@pytest.mark.parametrize("service", Service)
async def test_strangers_read_neither_the_release_nor_the_software(service: Service, tmp_path: Path) -> None:
    async with service_process(service, tmp_path, TM_ACCESS="on", TM_WORKERS="1") as running:
        responses = {**await texts(running), "malformed": await malformed(running)}
        assert len(responses) == 4 * len(PATHS) + 1
        for request, text in responses.items():
            assert [each for each in SECRETS if each in text] == [], request
            assert "server: traffic-manager\n" in text or request == "malformed", request
        assert 'tm_build_info{python="hidden",revision="hidden",version="hidden"} 1.0' in responses["GET /metrics"]


async def test_release_is_told_where_the_setting_says(tmp_path: Path) -> None:
    build = f'tm_build_info{{python="{platform.python_version()}",revision="5eed",version="{VERSION}"}}'
    async with service_process(
        Service.DATA_PLANE, tmp_path, TM_PUBLIC_VERSION="metrics", TM_REVISION="5eed"
    ) as running:
        assert await running.metric(build) == 1
        document = await running.client.get("/schema/openapi.json")
        assert (document.json()["info"]["version"], document.headers["server"]) == ("v1", "traffic-manager")
    async with service_process(Service.DATA_PLANE, tmp_path, TM_PUBLIC_VERSION="on", TM_REVISION="5eed") as running:
        assert await running.metric(build) == 1
        document = await running.client.get("/schema/openapi.json")
        product = f"traffic-manager/{VERSION}"
        assert (document.json()["info"]["version"], document.headers["server"]) == (VERSION, product)
