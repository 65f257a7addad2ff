"""What the services' OpenAPI documents say is true: schemathesis tries every operation with good and bad input."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from tests.system import System

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 25
SECONDS = 120


async def _tried(url: str, *options: str) -> tuple[int, str]:
    """Exit code and report of all checks on the service at this URL."""
    command = (
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(CONFIGURATION),
        "run",
        f"{url}/schema/openapi.json",
        *options,
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    async with asyncio.timeout(SECONDS):
        report, _ = await process.communicate()
    return process.returncode or 0, report.decode()


@pytest.mark.parametrize("service", ["control_plane", "data_plane", "audit_consumer"])
async def test_every_operation_answers_as_its_document_says(system: System, service: str) -> None:
    urls = {
        "control_plane": system.control_url,
        "data_plane": system.resolver_urls[0],
        "audit_consumer": system.services.audit_consumer.urls[0],
    }
    code, report = await _tried(
        urls[service], "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"
    )
    assert code == 0, report
