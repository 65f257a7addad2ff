"""A span for each query of a request whose trace is sampled."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

import asyncpg

from shared.runtime.tracing.database import database_call
from shared.runtime.tracing.trace_context import is_sampled

_Method = TypeVar("_Method", bound=Callable[..., Any])

_INNERMOST = re.compile(r"\([^()]*\)")
_OPERATION = re.compile(
    r"\b(?P<operation>INSERT|UPDATE|DELETE|SELECT)\b"
    r"(?:(?<=SELECT).*?\bFROM\s+(?P<read>\w+)|(?<!SELECT)\s+(?:INTO\s+|FROM\s+)?(?P<written>\w+))?",
    re.DOTALL,
)
_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO)\s+(\w+)")
_CONTROL = re.compile(r"[A-Z]+")


def operation_of(statement: str) -> tuple[str, str | None]:
    """What the statement does, and the table that it does it to: of a WITH statement, what its last part does.

    No part of the result comes from a parameter, or from the name of a tenant: of a transaction's `BEGIN …; SET LOCAL …`,
    only the first word is used.
    """
    control = _CONTROL.match(statement)
    if control is not None and control[0] in ("BEGIN", "COMMIT", "ROLLBACK"):
        return control[0], None
    return _data_operation(statement)


@lru_cache(maxsize=256)  # statements are constants
def _data_operation(statement: str) -> tuple[str, str | None]:
    text, nested = statement, 1
    while nested:
        text, nested = _INNERMOST.subn("", text)
    found = _OPERATION.search(text)
    if found is None:
        return "OTHER", None
    named = [found["written"] or found["read"] or "", *_TABLE.findall(statement)]
    # Neither the parts of a WITH statement nor functions and subqueries are tables.
    tables = (name for name in named if name and f"{name} AS " not in text and name not in ("unnest", "AS"))
    return found["operation"], next(tables, None)


def _traced(method: _Method) -> _Method:
    @wraps(method)
    async def call(connection: Any, query: str, *args: Any, **options: Any) -> Any:
        with _span_of(connection, query):
            return await method(connection, query, *args, **options)

    return cast(_Method, call)


def _span_of(connection: Any, query: str) -> AbstractContextManager[object]:
    if not is_sampled():
        return nullcontext()
    operation, table = operation_of(query)
    return database_call("postgresql", connection._params.database, operation, table)  # noqa: SLF001 - TracedConnection's own


class TracedConnection(asyncpg.Connection):
    """A connection whose queries have spans.

    Ours, because asyncpg's query loggers report a query only after the code that waited for it has gone on: its span would
    begin and end late.
    """

    __slots__ = ()

    execute = _traced(asyncpg.Connection.execute)
    executemany = _traced(asyncpg.Connection.executemany)
    fetch = _traced(asyncpg.Connection.fetch)
    fetchrow = _traced(asyncpg.Connection.fetchrow)
    fetchval = _traced(asyncpg.Connection.fetchval)
