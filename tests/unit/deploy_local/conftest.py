"""Stand-ins: small programs in the place of servers."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.leftovers import stop_all_but
from deploy.local.local_process import LocalProcess
from deploy.local.services import Service
from deploy.local.state import StateDirectory

READY = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
    def log_message(self, *args):
        pass
print("instance", os.environ["TM_INSTANCE_ID"], os.environ.get("TM_REDIS_URL"), flush=True)
http.server.HTTPServer((os.environ["TM_HTTP_HOST"], int(os.environ["TM_HTTP_PORT"])), Handler).serve_forever()
"""
"""A service that is ready at once."""

WITH_CHILD = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n" + READY
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
DYING = "print('no configuration found'); raise SystemExit(3)"

StandIn = Callable[..., LocalProcess]


@pytest_asyncio.fixture
async def state(tmp_path: Path) -> AsyncIterator[StateDirectory]:
    """A state directory; whatever was started on it is ended."""
    state = StateDirectory(tmp_path / "state")
    yield state
    await stop_all_but(set(), state)


@pytest.fixture
def stand_in(state: StateDirectory) -> StandIn:
    """Makes a service of a given program."""

    def make(
        program: str, name: str = "stand-in", environment: Mapping[str, str] | None = None, stop_seconds: float = 5.0
    ) -> LocalProcess:
        service = Service(name, (sys.executable, "-c", program), lambda: environment or {}, state)
        service.stop_seconds = stop_seconds
        return LocalProcess(service, state)

    return make
