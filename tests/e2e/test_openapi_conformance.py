"""The responses match the OpenAPI documents: schemathesis calls every operation with valid and invalid input."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from shared.schemas.access import Role
from tests.support.system import System

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 25
EXAMPLES_OF_A_ROLE = 6
SECONDS = 300
CHECKS_FOR_ANY_ROLE = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SERVICES = ("control_plane", "data_plane", "audit_consumer")


async def _run_schemathesis(url: str, key: str, configuration: Path, *options: str) -> tuple[int, str]:
    """The exit code and report of schemathesis for the service at this URL with this access key."""
    command = (
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(configuration),
        "run",
        f"{url}/schema/openapi.json",
        "--header",
        f"Authorization: Bearer {key}",
        "--seed",
        "1",
        "--no-color",
        *options,
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    async with asyncio.timeout(SECONDS):
        report, _ = await process.communicate()
    return process.returncode or 0, report.decode()


def _url_of(system: System, service: str) -> str:
    urls = (system.control_url, system.resolver_urls[0], system.audit_url)
    return dict(zip(SERVICES, urls, strict=True))[service]


@pytest.mark.parametrize("service", SERVICES)
async def test_every_operation_responds_as_documented(system: System, service: str) -> None:
    options = ("--checks", "all", "--max-examples", str(EXAMPLES))
    code, report = await _run_schemathesis(
        _url_of(system, service), system.services.admin_key.text(), CONFIGURATION, *options
    )
    assert code == 0, report


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.ADMIN])
@pytest.mark.parametrize("service", SERVICES)
async def test_every_operation_responds_as_documented_for_every_role(
    system: System, service: str, role: Role, tmp_path: Path
) -> None:
    tenant = await system.new_tenant()
    # On the key's own tenant: for other tenants every response is a 404.
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(f'[parameters]\ntenant = "{tenant}"\n\n{CONFIGURATION.read_text()}')
    options = ("--phases", "examples,fuzzing", "--checks", ",".join(CHECKS_FOR_ANY_ROLE))
    key = await system.access_key(tenant, role)
    code, report = await _run_schemathesis(
        _url_of(system, service), key, configuration, *options, "--max-examples", str(EXAMPLES_OF_A_ROLE)
    )
    assert code == 0, report
