"""Connections to the PostgreSQL primary, and the errors that mean that it is unavailable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from control_plane.adapters.postgres.query_spans import TracedConnection
from control_plane.errors import NoSuchTenant, SchemaChanged
from shared.runtime.deadlines import Deadlines, remaining_seconds
from shared.runtime.resilience import Guard
from shared.schemas.identity import name_errors

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

UNAVAILABLE: tuple[type[Exception], ...] = (
    asyncpg.InterfaceError,  # the driver's own: a connection that is closed
    asyncpg.InternalClientError,  # the driver's own: a connection that was cut in the middle of a statement
    asyncpg.PostgresConnectionError,
    asyncpg.LockNotAvailableError,  # a migration holds a table
    asyncpg.OperatorInterventionError,  # shutting down, starting up, a statement that took too long
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # the server is not the primary
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,  # the schema is not migrated
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidParameterValueError,  # the serving role does not exist: the schema is not migrated
)
"""The driver's errors that mean "unavailable now". Any other error is a bug in this service."""
END_WITH_CLIENT = {"client_connection_check_interval": "250"}
"""Session settings with which a statement ends when its client's connection is closed, within so many milliseconds."""


_OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""The driver's errors after a migration. With them it drops the statements that it has prepared."""


class Primary:
    """A pool of connections; every use is one guarded call. Open it as an async context manager."""

    def __init__(
        self, url: str, *, size: int, deadline_seconds: float, guard: Guard, read_guard: Guard | None = None
    ) -> None:
        """`guard`: of transactions; `read_guard`: of snapshots (None: the same). Together they admit `size` calls."""
        self._url = url
        self._size = size
        self._deadline = deadline_seconds
        self._guard = guard
        self._read_guard = read_guard or guard
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def __aenter__(self) -> Self:
        # Without a first connection: the service can start while the primary is down, and becomes ready when it is back.
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            timeout=self._deadline,
            connection_class=TracedConnection,
            reset=_keep_session,
            server_settings=self._server_settings(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(self._deadline):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    def _server_settings(self) -> dict[str, str]:
        # The server ends a statement before its caller gives up, and at once when the caller's connection is gone: no
        # statement stays at work for nobody, and a tenant's lock is freed. Waiting for that lock times out first, so that
        # a busy tenant differs from a server that does not answer.
        deadlines = Deadlines(self._deadline)
        return {
            "application_name": "control_plane",
            # The default that RESET returns to: this role sees no row until a tenant is set.
            "role": "tm_control",
            "jit": "off",
            "statement_timeout": _milliseconds(deadlines.statement_seconds),
            **END_WITH_CLIENT,
            "lock_timeout": _milliseconds(deadlines.lock_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(self._deadline),
        }

    @asynccontextmanager
    async def connection(self, *, reads: bool = False) -> AsyncIterator[Connection]:
        """A connection for one guarded call; `reads`: one of those for reads. Raises DependencyUnavailable."""
        async with (self._read_guard if reads else self._guard).call():
            if self._pool is None:
                raise asyncpg.InterfaceError("the pool is not open")
            connection = await self._pool.acquire()
            try:
                yield connection
            except asyncio.CancelledError:
                # The deadline has passed: do not wait for a server that may never confirm the cancellation.
                connection.terminate()
                raise
            finally:
                await self._pool.release(connection)

    def transaction(self, tenant: str) -> AbstractAsyncContextManager[Connection]:
        """A transaction that sees the rows of this tenant only. The end of the block commits.

        Raises DependencyUnavailable, and NoSuchTenant for an invalid tenant name.
        """
        # A generic plan, because the best plan for a change does not depend on its parameters, and planning takes as long
        # as running it. Sent with BEGIN, the setting costs no round trip.
        return self._begun(f"BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; {_set_tenant(tenant)}")

    def read(self, tenant: str | None) -> AbstractAsyncContextManager[Connection]:
        """As `transaction` (None: as `platform`), but read-only, and in the connections for reads."""
        plan = "SET LOCAL plan_cache_mode = force_generic_plan"
        visible = "SET LOCAL ROLE tm_platform" if tenant is None else f"{plan}; {_set_tenant(tenant)}"
        return self._begun(f"BEGIN READ ONLY; {visible}", reads=True)

    def snapshot(self, tenant: str) -> AbstractAsyncContextManager[Connection]:
        """As `read`, but with all statements on one snapshot."""
        begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_set_tenant(tenant)}"
        return self._begun(begin, reads=True)

    def platform(
        self, role: Literal["tm_platform", "tm_relay"] = "tm_platform", *, reads: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """A transaction on all tenants, in a role that may read or write them. Raises DependencyUnavailable."""
        return self._begun(f"BEGIN; SET LOCAL ROLE {role}", reads=reads)

    @asynccontextmanager
    async def _begun(self, begin: str, *, reads: bool = False) -> AsyncIterator[Connection]:
        # Without asyncpg's own transaction, which would wait without end for a frozen server to roll back.
        async with self.connection(reads=reads) as connection:
            await connection.execute(f"{begin}; {_within_deadline()}")
            try:
                yield connection
            except Exception as error:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                if isinstance(error, _OUTDATED):
                    raise SchemaChanged(str(error)) from error
                raise
            await connection.execute("COMMIT")


def _milliseconds(seconds: float) -> str:
    return str(int(1000 * seconds))


def _within_deadline() -> str:
    """The time limits of this transaction: a caller that has waited for a connection gives up sooner than others."""
    deadlines = Deadlines(remaining_seconds())
    lock, statement = (max(1, int(1000 * each)) for each in (deadlines.lock_seconds, deadlines.statement_seconds))
    return f"SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}"


def _set_tenant(tenant: str) -> str:
    if name_errors(tenant=tenant):
        raise NoSuchTenant(tenant)  # a valid name cannot break out of the quotes
    return f"SET LOCAL tm.tenant = '{tenant}'"


async def _keep_session(_: Any) -> None:
    """No statement changes session state, so that a reset would be a wasted round trip."""
