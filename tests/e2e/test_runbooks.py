"""The commands of the runbooks run against the product, as somebody who was woken would paste them."""

import asyncio
import os

import pytest

from tests.support.kubernetes_manifests import ROOT
from tests.support.runbooks import PAGES, blocks
from tests.support.system import System

COMMANDS = sorted({block for page in PAGES for block in blocks(page, "sh")})
SECONDS = 60


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split("\n")[0][:40])
async def test_command_succeeds(system: System, command: str) -> None:
    environment = {**os.environ, **await system.services.running_environment()}  # noqa: TID251 - the shell needs PATH
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", command, cwd=ROOT, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert (output + errors).strip()
    assert b'"status":401' not in output
