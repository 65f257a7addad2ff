"""A server as a local process."""

import asyncio
import signal
from typing import Protocol

import psutil

from deploy.local import ports, process
from deploy.local.errors import NotReady, PortTaken
from deploy.local.files import rotate, tail
from deploy.local.process import Launch
from deploy.local.readiness import Usable, until_usable
from deploy.local.server import Condition
from deploy.local.state import StateDirectory

_UNTRACKED_STOP_SECONDS = 5.0


class Recipe(Usable, Protocol):
    """How to run one kind of server."""

    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0

    async def prepare(self) -> Launch:
        """Prepare the start, such as by creating the data directory. Returns the command to execute."""
        ...


class LocalProcess:
    """A `Server` that runs as a local process. The state file keeps its process id."""

    def __init__(self, recipe: Recipe, state: StateDirectory) -> None:
        self._recipe = recipe
        self._state = state
        self._starting = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._recipe.name

    @property
    def urls(self) -> tuple[str, ...]:
        return (self._recipe.url,)

    @property
    def pid(self) -> int | None:
        found = self._find()
        return found.pid if found else None

    async def start(self) -> None:
        async with self._starting:
            found = self._find()
            if found:
                process.thaw(found)
            else:
                await process.end_marked(self._state.mark(self.name), _UNTRACKED_STOP_SECONDS)
                self._require_port()
                self._spawn(await self._recipe.prepare())
            await until_usable(self._recipe, self._state.port(self.name), self.is_running, self._failure_message)

    async def stop(self) -> None:
        found = self._find()
        if found and not await process.stop(found, self._recipe.stop_signal, self._recipe.stop_seconds):
            with self._state.log(self.name).open("a") as log:
                log.write(f"{self.name} did not end within {self._recipe.stop_seconds:.0f} s and was killed\n")
        await process.end_marked(self._state.mark(self.name), _UNTRACKED_STOP_SECONDS)
        self._forget()

    async def kill(self) -> None:
        found = self._find()
        if found:
            await process.kill(found)
        self._forget()

    async def freeze(self) -> None:
        await process.freeze(self._running())

    async def thaw(self) -> None:
        process.thaw(self._running())

    async def is_running(self) -> bool:
        return self._find() is not None

    async def condition(self) -> Condition:
        identity = self._state.read().processes.get(self.name)
        if identity is None:
            return "stopped"
        found = process.find(identity)
        if found is None:
            return "ended"
        return "frozen" if process.is_frozen(found) else "running"

    def _find(self) -> psutil.Process | None:
        return process.find(self._state.read().processes.get(self.name))

    def _running(self) -> psutil.Process:
        found = self._find()
        if found is None:
            raise NotReady(f"{self.name} is not running; start it first")
        return found

    def _spawn(self, launch: Launch) -> None:
        log = self._state.log(self.name)
        rotate(log)
        identity = process.spawn(launch, log, self._state.mark(self.name))
        with self._state.update() as state:
            state.processes[self.name] = identity

    def _forget(self) -> None:
        with self._state.update() as state:
            state.processes.pop(self.name, None)

    def _require_port(self) -> None:
        port = self._state.port(self.name)
        if not ports.is_free(port):
            raise PortTaken(
                f"another program listens on port {port} of {self.name}; end that program, "
                "or run make down and make up for another port"
            )

    def _failure_message(self, failure: str) -> str:
        log = self._state.log(self.name)
        return f"{self.name} {failure}. The end of {log}:\n{tail(log)}"
