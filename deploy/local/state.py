"""What outlives a command: ports, and which processes were started. One small file, replaced atomically."""

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
from deploy.local.files import write_atomically

# What a shell takes as it is after an equals sign.
_PLAIN = re.compile(r"[\w@%+=:,./?-]*", re.ASCII)
_CONTENTS = (
    *("postgres", "redis", "kafka", "mongo", "logs", "snapshots", "env", "admin-key", "access"),
    *("state.json", "state.broken", "state.lock", "command.lock"),
)

Engine = Literal["containers", "processes"]


class Identity(msgspec.Struct, frozen=True):
    """A process, told apart from a later one with the same number by when it began (seconds since the epoch)."""

    pid: int
    created: float


class State(msgspec.Struct):
    """The contents of the state file."""

    ports: dict[str, int] = {}
    processes: dict[str, Identity] = {}
    urls: list[str] = []
    """Where servers listened that were started here: found in the environment, they are not someone else's."""
    engine: Engine | None = None
    """What runs the servers, while they run."""


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
        """Tells stacks on one machine apart."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    def mark(self, name: str) -> str:
        """What processes started for it carry in their environment."""
        return f"{self.path}:{name}"

    def exists(self) -> bool:
        """Whether anything was ever started here."""
        return self.path.exists()

    def log(self, name: str) -> Path:
        """Where the output of `name` goes."""
        return self.logs / f"{name}.log"

    def snapshot(self, name: str) -> Path:
        """What the resolver instance `name` knew when it ran last."""
        return self.path / "snapshots" / name

    def copy_of_keys(self, name: str) -> Path:
        """Where a service of that name copies the access keys that it knows."""
        return self.path / "access" / name

    def read(self) -> State:
        """The last state written; an empty one when there is none or it cannot be read."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except msgspec.DecodeError:
            # Processes are found again by the mark they carry, ports are picked anew; data is untouched.
            self._file.rename(self.path / "state.broken")
            return State()

    @contextlib.contextmanager
    def update(self) -> Iterator[State]:
        """Change the state as one step, also against other commands on the same directory."""
        with self._locked("state.lock"):
            state = self.read()
            yield state
            write_atomically(self._file, msgspec.json.format(msgspec.json.encode(state)))

    @contextlib.contextmanager
    def one_command(self, waits: Callable[[], None]) -> Iterator[None]:
        """Let one `up` or `down` work at a time; the next waits, and calls `waits` before it does."""
        with self._locked("command.lock", waits):
            yield

    def port(self, name: str) -> int:
        """The port of `name`, picked the first time it is asked for."""
        port = self.read().ports.get(name)
        return port if port is not None else self.pick_port(name)

    def pick_port(self, name: str) -> int:
        """Give `name` a new port."""
        with self.update() as state:
            state.ports[name] = ports.pick(frozenset(state.ports.values()))
            return state.ports[name]

    def renew_taken_port(self, name: str) -> None:
        """Give `name`, which must not run, another port if its own is in use."""
        if not ports.is_free(self.port(name)):
            self.pick_port(name)

    def write_environment(self, values: Mapping[str, str]) -> None:
        """Replace the file of `KEY=value` lines for shells to source; only its owner may read the passwords in it."""
        lines = [f"{key}={value if _PLAIN.fullmatch(value) else shlex.quote(value)}\n" for key, value in values.items()]
        write_atomically(self.environment, "".join(lines).encode())

    def purge(self) -> None:
        """Delete everything that was made here, and nothing else; nothing may run."""
        for path in (self.path / name for name in _CONTENTS):
            if path.is_symlink():
                shutil.rmtree(path.resolve(), ignore_errors=True)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # someone else keeps something here
            self.path.rmdir()

    @contextlib.contextmanager
    def _locked(self, name: str, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.path / name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
