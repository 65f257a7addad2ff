"""The running product, for the tests of this package."""

from functools import partial

import httpx2
import pytest

from tests.support.system import System
from tests.support.system import system as system
from tests.support.waiting import eventually

RECOVERY_SECONDS = 30.0


@pytest.fixture(autouse=True)
async def recovered(system: System) -> None:
    """Waits until writes succeed again after the fault of the previous test: breakers stay open for some seconds."""
    await eventually(partial(_takes_writes, system), within=RECOVERY_SECONDS)


async def _takes_writes(system: System) -> bool:
    try:
        await system.new_tenant()
    except httpx2.HTTPError:
        return False
    return True
