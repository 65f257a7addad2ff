"""Connections to the PostgreSQL primary, and what its errors mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from control_plane.errors import NoSuchTenant
from shared.runtime.resilience import Guard
from shared.schemas.identity import name_errors

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

UNAVAILABLE: tuple[type[Exception], ...] = (
    asyncpg.InterfaceError,  # the driver's own: a connection that is closed
    asyncpg.InternalClientError,  # the driver's own: a connection that was cut in the middle of a statement
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, a statement that took too long
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # no longer, or not yet, the primary
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,  # migrations have not been run
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidParameterValueError,  # the serving role does not exist, which migrations make
)
"""The driver's errors that mean: not now. Any other is a mistake of ours."""


class Primary:
    """A pool of connections; every use is one guarded call. Opened and closed as an async context manager."""

    def __init__(self, url: str, *, size: int, deadline_seconds: float, guard: Guard) -> None:
        self._url = url
        self._size = size
        self._deadline = deadline_seconds
        self._guard = guard
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def __aenter__(self) -> Self:
        # Without a first connection: the service starts while the primary is away, and is not ready until it is back.
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            timeout=self._deadline,
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
        # The server gives up by itself what nobody waits for any more, a tenant's lock above all. Waiting for that lock
        # ends first, so that a busy tenant is told from a server that does not answer.
        deadline = int(self._deadline * 1000)
        return {
            "application_name": "control_plane",
            # From the first moment on, and what any RESET goes back to: this role sees nothing until a tenant is named.
            "role": "tm_control",
            "jit": "off",
            "statement_timeout": str(deadline),
            "lock_timeout": str(deadline * 3 // 4),
            "idle_in_transaction_session_timeout": str(deadline),
        }

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one guarded call. Raises DependencyUnavailable."""
        async with self._guard.call():
            if self._pool is None:
                raise asyncpg.InterfaceError("the pool is not open")
            connection = await self._pool.acquire()
            try:
                yield connection
            except asyncio.CancelledError:
                # The deadline has passed: nobody waits for a server that may never answer to take its statement back.
                connection.terminate()
                raise
            finally:
                await self._pool.release(connection)

    def transaction(self, tenant: str) -> AbstractAsyncContextManager[Connection]:
        """A transaction that sees this tenant's rows and no other's. Its block's end commits.

        Raises DependencyUnavailable, and NoSuchTenant for what can be no tenant's name.
        """
        # The statements of a change are long and always run the same way: planning them anew for each list of routes
        # takes as long as running them. Sent with BEGIN, it costs no round trip.
        return self._begun(f"BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; {_tenant_is(tenant)}")

    def snapshot(self, tenant: str) -> AbstractAsyncContextManager[Connection]:
        """As `transaction`, with statements that all see one moment and cannot write."""
        return self._begun(f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_tenant_is(tenant)}")

    def platform(
        self, role: Literal["tm_platform", "tm_relay"] = "tm_platform"
    ) -> AbstractAsyncContextManager[Connection]:
        """A transaction about all tenants, as a role that sees what that takes. Raises DependencyUnavailable."""
        return self._begun(f"BEGIN; SET LOCAL ROLE {role}")

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[Connection]:
        # By hand, because asyncpg's own would wait without end for a frozen server to roll back.
        async with self.connection() as connection:
            await connection.execute(begin)
            try:
                yield connection
            except Exception:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")


def _tenant_is(tenant: str) -> str:
    if name_errors(tenant=tenant):
        raise NoSuchTenant(tenant)  # and so the statement is safe to build
    return f"SET LOCAL tm.tenant = '{tenant}'"


async def _keep_session(_: Any) -> None:
    """Nothing here changes a session's state, so that a reset would be a round trip for nothing."""
