"""The directory of PostgreSQL's programs and data, and the account that runs them."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.local import process
from deploy.local.ports import LOOPBACK
from deploy.local.postgres_account import Account
from deploy.local.process import Launch
from deploy.local.server_programs import postgres_package
from deploy.local.state import StateDirectory
from shared.runtime.atomic_file import replace_file

ROLE = "traffic_manager"
SETTINGS_FILE = "local.conf"
_COMMAND_SECONDS = 60.0
_LEFTOVER_SECONDS = 5.0


class PostgresHome:
    """`postgres/` in the state directory.

    For root it is a link to a directory of the account that runs PostgreSQL, with a copy of the programs: that account may
    have no access to the checkout.
    """

    def __init__(self, state: StateDirectory, account: Account | None, temporary: Path | None) -> None:
        self._state = state
        self._account = account
        self._temporary = temporary
        self._link = state.path / "postgres"

    @property
    def password_file(self) -> Path:
        return self._link.resolve() / "password"

    def url(self, port: int, database: str) -> str:
        """A connection URL. Each state directory has its own password."""
        return f"postgresql://{ROLE}:{self.password()}@{LOOPBACK}:{port}/{database}"

    def password(self) -> str:
        """The password of the only role."""
        self.make()
        return self.password_file.read_text()

    def data(self, name: str) -> Path:
        """The data directory of one server."""
        return self._link.resolve() / name

    def emptied(self, name: str) -> Path:
        """A path in the home, with the files of an earlier attempt deleted."""
        path = self.data(name)
        shutil.rmtree(path, ignore_errors=True)
        return path

    def make(self) -> None:
        """Create the directory and the password if they are missing."""
        if not self._link.exists():
            self._link.unlink(missing_ok=True)
            self._state.path.mkdir(parents=True, exist_ok=True)
            if self._account is None:
                self._link.mkdir(mode=0o700)
            else:
                self._link.symlink_to(self._borrowed_directory(self._account))
        if not self.password_file.exists():
            replace_file(self.password_file, secrets.token_urlsafe(18).encode())
            self.own(self.password_file)

    def own(self, path: Path) -> None:
        """Make the account that runs PostgreSQL the owner of `path`."""
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def create_owned_file(self, path: Path) -> None:
        """Create an empty file that this account owns."""
        path.touch(mode=0o600)
        self.own(path)

    async def end_leftovers(self, data: Path) -> None:
        """End the processes that still hold a data directory although their parent was killed: a server refuses to start."""
        await process.end_in(data, _LEFTOVER_SECONDS)

    def configure(self, data: Path, settings: Mapping[str, str]) -> None:
        """Write the settings file that `postgresql.conf` includes."""
        lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
        replace_file(data / SETTINGS_FILE, "".join(lines).encode())
        self.own(data / SETTINGS_FILE)

    def server(self, data: Path) -> Launch:
        """The command that runs the server on `data`."""
        return self._launch("postgres", "-D", str(data))

    async def run(self, name: str, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs until it ends. Its output goes to the log of `name`.

        Raises:
            LocalServerError: the program failed.
        """
        launch = self._launch(program, *arguments)
        await process.run_to_end(launch, self._state.log(name), self._state.mark(name), _COMMAND_SECONDS)

    def _launch(self, program: str, *arguments: str) -> Launch:
        return Launch(
            argv=[self._programs() / program, *arguments],
            directory=self._link.resolve(),
            environment={"LC_ALL": "C", "PGPASSWORD": self.password()},
            account=self._account,
            title=program,
        )

    def _programs(self) -> Path:
        package = postgres_package()
        if self._account is None:
            return package / "pginstall" / "bin"
        copy = self._link.resolve() / "programs"
        if not copy.exists():
            partial = self.emptied("programs.partial")
            skipped = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(package / "pginstall", partial / package.name / "pginstall", ignore=skipped)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, partial / libraries.name)
            partial.rename(copy)
        return copy / package.name / "pginstall" / "bin"

    def _borrowed_directory(self, account: Account) -> Path:
        """A directory in /var/tmp, which is usually a real disk, or in the system's temporary directory."""
        persistent = Path("/var/tmp")  # noqa: S108 - mkdtemp below makes a private directory in it
        parent = self._temporary or (persistent if persistent.is_dir() else Path(tempfile.gettempdir()))
        directory = Path(tempfile.mkdtemp(prefix="traffic-manager-", dir=parent))
        os.chown(directory, account.uid, account.gid)
        return directory


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
