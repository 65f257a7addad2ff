"""The page at /schema in a real browser: every service serves all of it, and the browser finds nothing to complain about."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.runtime.service import Service
from tests.support.browser import CHROMIUM, browser
from tests.support.service_process import service_process

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")

SHOWN_OPERATIONS = "document.querySelectorAll('.opblock').length"


@pytest.mark.parametrize("service", Service)
async def test_page_shows_every_operation_without_a_failed_request_an_error_or_another_host(
    service: Service, tmp_path: Path
) -> None:
    async with service_process(service, tmp_path) as running, browser(tmp_path / "profile") as chromium:
        paths = (await running.client.get("/schema/openapi.json")).json()["paths"]
        page = await chromium.open(f"{running.client.base_url}/schema")
        await page.shows(f"{SHOWN_OPERATIONS} == {sum(len(methods) for methods in paths.values())}")
        # An opened operation renders its parameters, examples and responses.
        await page.value("document.querySelector('.opblock-summary-control').click()")
        await page.shows("document.querySelector('.opblock.is-open .responses-table') != null")
        assert page.problems == []
        hosts = {urlsplit(each).netloc for each in page.requests if not each.startswith("data:")}
        assert hosts == {running.client.base_url.netloc.decode()}
        assert len([each for each in page.requests if "/schema/assets/" in each]) == 4
