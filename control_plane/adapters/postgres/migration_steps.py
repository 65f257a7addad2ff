"""Carries out the preparation of a migration: in batches, and with short waits for locks, which are retried."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy.exc import DBAPIError

from control_plane.migrations.preparation import Batches, ConcurrentIndex, Statements, Step
from shared.runtime.backoff import Backoff

LOCK_MILLISECONDS = 200
"""Longest wait for the lock of a table. Requests wait behind it, so it is far below their deadline."""
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.3, 3.0
"""Pauses between attempts; requests that waited for the last attempt are served meanwhile."""
_LOCKED = {asyncpg.LockNotAvailableError.sqlstate, asyncpg.DeadlockDetectedError.sqlstate}

Connection: TypeAlias = "asyncpg.Connection[Any]"
Report: TypeAlias = Callable[[str], object]


class LockNotFree(Exception):
    """A table's lock was not free for as long as the migration may wait."""


async def prepare(connection: Connection, steps: tuple[Step, ...], until_free: "UntilFree") -> None:
    """Carry out the steps in order. `connection` is in no transaction."""
    for step in steps:
        match step:
            case Statements(statements):
                await until_free(lambda statements=statements: _in_transaction(connection, statements))  # type: ignore[misc]
            case ConcurrentIndex():
                await _build(connection, step, until_free)
            case Batches():
                await _change_rows(connection, step, until_free)


async def _in_transaction(connection: Connection, statements: tuple[str, ...], *arguments: int) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
        for each in statements:
            await connection.execute(each, *arguments)


async def _build(connection: Connection, index: ConcurrentIndex, until_free: "UntilFree") -> None:
    # An attempt that was interrupted leaves an index that is not valid.
    is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
    if await connection.fetchval(is_valid, index.name) is False:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", timeout=until_free.patience_seconds)
    until_free.report(f"the index {index.name} is built, after all older transactions have ended")
    try:
        # Waits for older transactions, with a lock that requests pass: no short limit.
        await connection.execute(index.create, timeout=until_free.patience_seconds)
    except TimeoutError as error:
        raise LockNotFree(index.name) from error


async def _change_rows(connection: Connection, batches: Batches, until_free: "UntilFree") -> None:
    next_rows = f"SELECT id FROM {batches.table} WHERE id > $1 ORDER BY id LIMIT {batches.rows}"  # noqa: S608 - constants only
    last = -1
    while rows := await connection.fetch(next_rows, last):
        first, last = rows[0][0], rows[-1][0]
        await until_free(
            lambda first=first, last=last: _in_transaction(connection, batches.statements, first, last)  # type: ignore[misc]
        )


class UntilFree:
    """Repeats a transaction that could not lock a table in time, with pauses, for `patience_seconds` at most."""

    def __init__(self, patience_seconds: float, report: Report) -> None:
        self.patience_seconds = patience_seconds
        self.report = report

    async def __call__(self, attempt: Callable[[], Awaitable[object]]) -> None:
        """Raises LockNotFree."""
        backoff = Backoff(_LONGEST_PAUSE_SECONDS, shortest_seconds=_SHORTEST_PAUSE_SECONDS, first_seconds=0.6)
        deadline = asyncio.get_running_loop().time() + self.patience_seconds
        while True:
            try:
                await attempt()
            except (asyncpg.PostgresError, DBAPIError) as error:
                if _sqlstate(error) not in _LOCKED:
                    raise
                if asyncio.get_running_loop().time() > deadline:
                    raise LockNotFree(str(error)) from error
                self.report("a table is locked by another transaction; the migration will try again")
            else:
                return
            await asyncio.sleep(backoff.pause())


def _sqlstate(error: asyncpg.PostgresError | DBAPIError) -> object:
    return getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
