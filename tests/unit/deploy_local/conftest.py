"""Stand-ins: small programs instead of servers."""

import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.leftovers import stop_all_but
from deploy.local.local_process import LocalProcess
from deploy.local.services import Service
from deploy.local.state import StateDirectory
from tests.support.stand_in_programs import StandIn


@pytest_asyncio.fixture
async def state(tmp_path: Path) -> AsyncIterator[StateDirectory]:
    """A state directory. Every process that was started with it is stopped afterwards."""
    state = StateDirectory(tmp_path / "state")
    yield state
    await stop_all_but(set(), state)


@pytest.fixture
def stand_in(state: StateDirectory) -> StandIn:
    """Creates a service from a program."""

    def make(
        program: str, name: str = "stand-in", environment: Mapping[str, str] | None = None, stop_seconds: float = 5.0
    ) -> LocalProcess:
        service = Service(name, (sys.executable, "-c", program), lambda: environment or {}, state)
        service.stop_seconds = stop_seconds
        return LocalProcess(service, state)

    return make
