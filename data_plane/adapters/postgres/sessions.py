"""Connections to one PostgreSQL server that are kept open, and reopened soon after the server is back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import asyncpg
import structlog

from shared.runtime.backoff import Backoff
from shared.runtime.deadlines import Deadlines

CONNECT_SECONDS = 2.0
RETRY_SECONDS = 3.0
"""Longest pause between attempts to connect."""

_log = structlog.get_logger(__name__)
_S = TypeVar("_S")


class NotConnected(ConnectionError):
    """No connection is open."""


class Session(Generic[_S]):
    """One connection, and a value that its user remembers about the server behind it."""

    def __init__(self, connection: "asyncpg.Connection[Any]", memory: _S) -> None:
        self.connection = connection
        self.memory = memory
        self.ended = asyncio.Event()
        connection.add_termination_listener(lambda _: self.ended.set())


class Sessions(Generic[_S]):
    """A fixed number of connections. Users take a free one, wait for one, or get NotConnected when none is open.

    `timeout_seconds`: after which users give up on a query; the server ends it before. `greet` runs on each new connection;
    its result is the memory of the session.
    """

    def __init__(
        self,
        name: str,
        url: str,
        count: int,
        *,
        timeout_seconds: float,
        greet: "Callable[[asyncpg.Connection[Any]], Awaitable[_S]]",
        on_down: Callable[[str], object],
        on_up: Callable[[], object],
    ) -> None:
        """`on_down` is called with the reason while no connection is open, `on_up` when one is open again."""
        self._name = name
        self._url = url
        self._count = count
        self._statement_seconds = Deadlines(timeout_seconds).statement_seconds
        self._greet = greet
        self._on_down = on_down
        self._on_up = on_up
        self._free: asyncio.LifoQueue[Session[_S]] = asyncio.LifoQueue()
        self._open = 0
        self._why = "not connected yet"
        self._is_down_logged = False
        self._is_down_reported = False
        self.connected = asyncio.Event()
        """Set by the first connection, and never cleared."""

    async def keep_open(self) -> None:
        """Connect, and reconnect after every loss, until cancelled. Closes all connections then."""
        async with asyncio.TaskGroup() as slots:
            for _ in range(self._count):
                slots.create_task(self._keep_one_open())

    def check(self) -> None:
        """Raises NotConnected when there is no open connection."""
        if not self._open:
            raise NotConnected(self._why)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Session[_S]]:
        """A connection for one query; waits for a free one. It is closed if the query was cut off."""
        session = await self._take()
        try:
            yield session
        except asyncpg.PostgresError:
            # The server has answered, so the connection is usable.
            self._free.put_nowait(session)
            raise
        except BaseException:
            session.connection.terminate()
            raise
        self._free.put_nowait(session)

    async def _take(self) -> Session[_S]:
        while True:
            self.check()
            session = await self._free.get()
            if not session.ended.is_set():
                return session

    async def _keep_one_open(self) -> None:
        backoff = Backoff(RETRY_SECONDS)
        while True:
            try:
                session = await self._connect()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._record_failure(f"{type(error).__name__}: {error}")
                await asyncio.sleep(backoff.pause())
                continue
            backoff.reset()
            await self._hold(session)

    async def _connect(self) -> Session[_S]:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            server_settings={
                "application_name": "data_plane",
                "role": "tm_reader",  # may read routes, but neither access keys nor history
                "default_transaction_read_only": "on",
                "jit": "off",
                # No query stays at work after its caller has given up, or its connection is closed.
                "statement_timeout": str(int(1000 * self._statement_seconds)),
                "client_connection_check_interval": "250",
            },
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return Session(connection, await self._greet(connection))
        except BaseException:
            connection.terminate()
            raise

    async def _hold(self, session: Session[_S]) -> None:
        self._open += 1
        self._is_down_logged = False
        if self._is_down_reported:
            # Connections that are seldom used would otherwise seem down until their next query.
            self._is_down_reported = False
            self._on_up()
        self._free.put_nowait(session)
        self.connected.set()
        try:
            await session.ended.wait()
        finally:
            self._open -= 1
            session.connection.terminate()
        self._record_failure("the connection was lost")

    def _record_failure(self, why: str) -> None:
        self._why = why
        if not self._open:
            # Every connection notices the loss and retries: it is logged as a warning once.
            level = logging.DEBUG if self._is_down_logged else logging.WARNING
            _log.log(level, "database not reachable", dependency=self._name, why=why)
            self._is_down_logged = self._is_down_reported = True
            self._on_down(why)
