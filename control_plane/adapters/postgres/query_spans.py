"""A span for each query of a request whose trace is sampled."""

import re
from functools import lru_cache
from typing import Any

from shared.runtime.tracing.database import note_database_call

_INNERMOST = re.compile(r"\([^()]*\)")
_OPERATION = re.compile(
    r"\b(?P<operation>INSERT|UPDATE|DELETE|SELECT)\b"
    r"(?:(?<=SELECT).*?\bFROM\s+(?P<read>\w+)|(?<!SELECT)\s+(?:INTO\s+|FROM\s+)?(?P<written>\w+))?",
    re.DOTALL,
)
_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO)\s+(\w+)")
_CONTROL = re.compile(r"[A-Z]+")


def note_query(query: Any) -> None:
    """Record a query that asyncpg reports (its `LoggedQuery`) as a child of the current span."""
    operation, collection = operation_of(query.query)
    note_database_call("postgresql", query.conn_params.database, operation, collection, query.elapsed, query.exception)


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
