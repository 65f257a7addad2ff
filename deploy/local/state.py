"""The state that commands share: ports and started processes, in a small file that is replaced atomically."""

import contextlib
import fcntl
import hashlib
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from deploy.local import ports
from shared.runtime.atomic_file import replace_file

# Values that a shell reads unchanged without quotes.
_PLAIN = re.compile(r"[\w@%+=:,./?-]*", re.ASCII)
_CONTENTS = (
    *("postgres", "redis", "kafka", "mongo", "logs", "snapshots", "env", "admin-key", "access"),
    *("state.json", "state.broken", "state.lock", "command.lock"),
)

Engine = Literal["containers", "processes"]


class Identity(msgspec.Struct, frozen=True):
    """A process. The start time, in seconds since the epoch, differs from that of a later process with the same pid."""

    pid: int
    created: float


class State(msgspec.Struct):
    """The contents of the state file."""

    ports: dict[str, int] = {}
    processes: dict[str, Identity] = {}
    urls: list[str] = []
    """URLs of servers that were started here. In the environment, they do not name external servers."""
    engine: Engine | None = None
    """What runs the servers; None while they are stopped."""


class StateDirectory:
    """The directory of one stack: its state file, logs and data."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.environment = self.path / "env"
        self.admin_key = self.path / "admin-key"
        self._file = self.path / "state.json"

    @property
    def digest(self) -> str:
        """A name for this directory that is unique on the machine."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    def mark(self, name: str) -> str:
        """The text in the environment of processes started as `name`, by which they are found."""
        return f"{self.path}:{name}"

    def exists(self) -> bool:
        """Whether anything was started here."""
        return self.path.exists()

    def log(self, name: str) -> Path:
        """The log file of `name`."""
        return self.logs / f"{name}.log"

    def snapshot(self, name: str) -> Path:
        """The snapshot file of the resolver instance `name`."""
        return self.path / "snapshots" / name

    def key_snapshot(self, name: str) -> Path:
        """The key snapshot file of the service instance `name`."""
        return self.path / "access" / name

    def read(self) -> State:
        """The current state; an empty state if the file is missing or unreadable."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except msgspec.DecodeError:
            # Processes are found by their marks, and new ports are picked. Data is not touched.
            self._file.rename(self.path / "state.broken")
            return State()

    @contextlib.contextmanager
    def update(self) -> Iterator[State]:
        """Change the state in one step. Concurrent commands on the same directory wait."""
        with self._locked("state.lock"):
            state = self.read()
            yield state
            replace_file(self._file, msgspec.json.format(msgspec.json.encode(state)))

    @contextlib.contextmanager
    def exclusive_command(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Let one `up` or `down` run at a time. The next one calls `on_wait`, and waits."""
        with self._locked("command.lock", on_wait):
            yield

    def port(self, name: str) -> int:
        """The port of `name`; the first call picks it."""
        port = self.read().ports.get(name)
        return port if port is not None else self.pick_port(name)

    def pick_port(self, name: str) -> int:
        """Give `name` a new port."""
        with self.update() as state:
            state.ports[name] = ports.pick(frozenset(state.ports.values()))
            return state.ports[name]

    def replace_taken_port(self, name: str) -> None:
        """Give `name`, which must be stopped, another port if its port is in use."""
        if not ports.is_free(self.port(name)):
            self.pick_port(name)

    def write_environment(self, values: Mapping[str, str]) -> None:
        """Replace the environment file: `KEY=value` lines for a shell to source. Only its owner can read it."""
        lines = [f"{key}={value if _PLAIN.fullmatch(value) else shlex.quote(value)}\n" for key, value in values.items()]
        replace_file(self.environment, "".join(lines).encode())

    def purge(self) -> None:
        """Delete the files of the stack and no others. All servers must be stopped."""
        for path in (self.path / name for name in _CONTENTS):
            if path.is_symlink():
                shutil.rmtree(path.resolve(), ignore_errors=True)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the directory has other files
            self.path.rmdir()

    @contextlib.contextmanager
    def _locked(self, name: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.path / name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
