"""Steps on the database before the services start: the migration and the admin key."""

import asyncio
import sys
from collections.abc import Callable, Mapping

from deploy.local import process
from deploy.local.errors import LocalServerError
from deploy.local.process import Launch
from deploy.local.settings import REPOSITORY, inherited_environment
from deploy.local.state import StateDirectory
from shared.runtime.atomic_file import replace_file

_MIGRATE_SECONDS = 60.0
_CREATE_SECONDS = 30.0


class Migration:
    """The step that brings the database's schema up to date."""

    name = "migration"

    def __init__(self, environment: Callable[[], Mapping[str, str]], state: StateDirectory) -> None:
        self._environment = environment
        self._state = state

    async def start(self) -> None:
        launch = Launch(
            argv=(sys.executable, "-m", "control_plane", "migrate"),
            directory=REPOSITORY,
            environment=self._environment(),
            title="the migration",
        )
        await process.run_to_end(launch, self._state.log(self.name), self._state.mark(self.name), _MIGRATE_SECONDS)

    async def is_running(self) -> bool:
        return False


class AdminKey:
    """The step that creates the admin's access key once, and stores it in a file that only its owner can read."""

    name = "admin-key"

    def __init__(self, environment: Callable[[], Mapping[str, str]], state: StateDirectory) -> None:
        self._environment = environment
        self._file = state.admin_key

    def text(self) -> str:
        """The key; empty before it exists."""
        return self._file.read_text().strip() if self._file.exists() else ""

    async def start(self) -> None:
        """Create the key unless it exists. The key goes from the command's output to the file, and to no log."""
        if self.text():
            return
        command = (sys.executable, "-m", "control_plane", "create-admin-key", "--subject", "local-admin")
        creating = await asyncio.create_subprocess_exec(
            *command,
            cwd=REPOSITORY,
            env={**inherited_environment(), **self._environment()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_CREATE_SECONDS):
                key, errors = await creating.communicate()
        except TimeoutError:
            creating.kill()
            raise LocalServerError(f"creating the admin key took longer than {_CREATE_SECONDS:.0f} s") from None
        if creating.returncode != 0:
            raise LocalServerError(f"creating the admin key failed: {errors.decode(errors='replace')}")
        replace_file(self._file, key)

    async def is_running(self) -> bool:
        return False
