"""The page at /schema: its files come from the service alone, and are those of the package that they are copied from."""

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
import yaml

import shared.runtime.http.openapi.page as page_module
from shared.runtime.http.openapi.page import assets
from shared.runtime.service import Service
from tests.support.service_apps import shared_app_of

SWAGGER_UI = Path(page_module.__file__).parent / "page_files" / "swagger_ui"


@pytest.fixture(params=Service)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    _, app = shared_app_of(request.param)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def urls_in(page: str) -> list[str]:
    return [url for url in re.findall(r'(?:href|src|data-document)="([^"]+)"', page) if not url.startswith("data:")]


@pytest.mark.parametrize("path", ["/schema", "/schema/"])
async def test_every_url_of_the_page_is_served_by_the_service_also_behind_a_prefix(
    client: httpx2.AsyncClient, path: str
) -> None:
    urls = [urljoin(f"http://test/prefix{path}", url) for url in urls_in((await client.get(path)).text)]
    assert len(urls) == 6
    for url in urls:
        assert url.startswith("http://test/prefix/schema/")
        response = await client.get(url.replace("/prefix", ""))
        assert response.status_code == 200, url
        extension = url.rpartition(".")[2]
        assert {"css": "text/css", "js": "javascript", "json": "json"}[extension] in response.headers["content-type"]


async def test_page_may_load_from_its_own_service_only(client: httpx2.AsyncClient) -> None:
    response = await client.get("/schema")
    policy = dict(each.strip().split(" ", 1) for each in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert not re.search(r"unsafe|https?:|\*", response.headers["content-security-policy"])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script>|<style|style=|https?://", response.text)


async def test_assets_are_kept_for_ever_and_the_page_is_asked_for_again(client: httpx2.AsyncClient) -> None:
    for name, asset in assets().items():
        assert hashlib.sha256(asset.content).hexdigest()[:16] in name
        response = await client.head(f"/schema/assets/{name}")
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (response.headers["content-length"], response.content) == (str(len(asset.content)), b"")
    for path in ("/schema", "/schema/openapi.json"):
        assert (await client.get(path)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/schema/none", "/schema/assets/none.js", "/schema/assets/../page.py", "/schema/a/b"])
async def test_unknown_path_under_schema_is_a_problem(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_yaml_document_has_the_content_of_the_json_document(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    assert yaml.safe_load((await client.get("/schema/openapi.yaml")).text) == document


def test_files_of_swagger_ui_have_the_recorded_hashes() -> None:
    lines = [line.split("  ") for line in (SWAGGER_UI / "SHA256SUMS").read_text().splitlines()]
    recorded = {name: sha256 for sha256, name in lines}
    present = {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in SWAGGER_UI.iterdir()
        if each.name != "SHA256SUMS"
    }
    assert present == recorded
    assert "LICENSE" in present
    version = (SWAGGER_UI / "VERSION").read_text().strip()
    assert f"\nversion={version}\n" in (Path(__file__).parents[3] / "requirements" / "vendor.sh").read_text()
