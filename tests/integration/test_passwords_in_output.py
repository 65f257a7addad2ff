"""No service prints or serves the passwords in its settings: not while servers are away, not when a start fails."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from deploy.local import ports
from tests.support.waiting import eventually

SECRET = "s3cret-of-a-server"  # noqa: S105 - made up
# Port 1 refuses connections at once.
AWAY = {
    "TM_POSTGRES_URL": f"postgresql://app:{SECRET}@127.0.0.1:1/routes",
    "TM_REPLICA_URLS": f"postgresql://app:{SECRET}@127.0.0.1:1/routes,postgresql://127.0.0.1:1/x?password={SECRET}",
    "TM_REDIS_URL": f"redis://app:{SECRET}@127.0.0.1:1/0",
    "TM_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "TM_MONGO_URL": f"mongodb://app:{SECRET}@127.0.0.1:1/?replicaSet=rs0",
}
OPTIONS = {"TM_DRAIN_SECONDS": "0", "TM_KAFKA_START_SECONDS": "0.1", "TM_ACCESS": "off", "TM_LOG_LEVEL": "DEBUG"}
SERVICES = ("control_plane", "data_plane", "audit_consumer")
COMMANDS = (("migrate",), ("create-admin-key",), ("republish-keys",))


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TM_")}  # noqa: TID251 - a child needs PATH
    return {**mine, **OPTIONS, **AWAY, **values}


async def _output_of(*arguments: str, **values: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=_environment(values)
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


@asynccontextmanager
async def _serving(service: str, log: Path, log_format: str) -> AsyncIterator[httpx2.AsyncClient]:
    port = ports.pick()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", service),
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            env=_environment({"TM_HTTP_PORT": str(port), "TM_LOG_FORMAT": log_format}),
        )
    try:
        async with httpx2.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            yield client
    finally:
        process.terminate()
        async with asyncio.timeout(40):
            await process.wait()


async def _knows_an_outage(client: httpx2.AsyncClient) -> bool:
    try:
        answer = await client.get("/health/ready")
    except httpx2.TransportError:
        return False
    return any(each["state"] == "down" for each in answer.json()["dependencies"].values())


PATHS = {
    "control_plane": "/api/v1/tenants/team-a/routes/pay/prod/v1",
    "data_plane": "/api/v1/resolve/team-a/pay/prod/v1",
    "audit_consumer": "/api/v1/audit/recent",
}


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("service", SERVICES)
async def test_service_whose_servers_are_away_shows_no_password(service: str, log_format: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with _serving(service, log, log_format) as client:
        await eventually(lambda: _knows_an_outage(client))
        problem = await client.get(PATHS[service])
        shown = [problem.text, (await client.get("/health/ready")).text, (await client.get("/metrics")).text]
    assert problem.status_code == 503
    shown.append(log.read_text())
    assert "127.0.0.1" in "".join(shown)
    assert [text for text in shown if SECRET in text] == []


@pytest.mark.parametrize("command", COMMANDS)
async def test_command_whose_database_is_away_shows_no_password(command: tuple[str, ...]) -> None:
    code, output = await _output_of("control_plane", *command)
    assert code == 1
    assert "TM_POSTGRES_URL" in output
    assert SECRET not in output


@pytest.mark.parametrize("service", SERVICES)
async def test_start_with_wrong_addresses_fails_without_repeating_them(service: str) -> None:
    wrong = {name: f"{value},wrong://app:{SECRET}@/{SECRET}@" for name, value in AWAY.items()}
    code, output = await _output_of(service, **wrong)
    assert code == 2
    assert "TM_" in output
    assert SECRET not in output


async def test_driver_that_refuses_an_address_during_a_start_repeats_no_password() -> None:
    contradictory = f"mongodb://app:{SECRET}@127.0.0.1:1/?tls=true&ssl=false"
    _, output = await _output_of("audit_consumer", TM_MONGO_URL=contradictory)
    assert "Traceback" in output
    assert SECRET not in output


FAILS = """
from multiprocessing import Process
from audit_consumer.settings import AuditSettings
from shared.runtime.settings import read_settings

url = read_settings(AuditSettings).mongo_url

def fail():
    raise RuntimeError(f"cannot use {url}")

worker = Process(target=fail)
worker.start()
worker.join()
fail()
"""


async def test_traceback_of_a_process_and_of_its_worker_shows_no_password(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    _, output = await _output_of("fails", PYTHONPATH=f"{tmp_path}:{Path.cwd()}")
    assert output.count("RuntimeError: cannot use mongodb://***@127.0.0.1:1/") == 2
    assert SECRET not in output


@pytest.mark.parametrize("command", [("status",), ("up", "--servers-only")])
async def test_local_command_on_servers_that_are_away_shows_no_password(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    code, output = await _output_of("deploy.local", "--state", str(state), *command)
    assert code != 0
    assert "***@" in output or "TM_" in output
    assert SECRET not in output
