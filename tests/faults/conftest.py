"""The running product, for the tests of this folder."""

from functools import partial

import httpx2
import pytest

from tests.support.system import System
from tests.support.system import system as system
from tests.support.waiting import eventually

RECOVERY_SECONDS = 30.0


@pytest.fixture(autouse=True)
async def recovered(system: System) -> None:
    """Begin only when writes are taken again after what the test before has broken: breakers stay open for a while."""
    await eventually(partial(_takes_writes, system), within=RECOVERY_SECONDS)


async def _takes_writes(system: System) -> bool:
    try:
        await system.new_tenant()
    except httpx2.HTTPError:
        return False
    return True
