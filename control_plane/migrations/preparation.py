"""What a migration does before its transaction: work that takes long, without a lock that requests wait for.

The steps are in a migration's `PREPARATION`. Each commits by itself and may be repeated: after a failure, the next run
begins with the first step again.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Statements:
    """Statements that change only the catalogue, or read a table under a lock that requests pass; in one transaction."""

    statements: tuple[str, ...]


@dataclass(frozen=True)
class ConcurrentIndex:
    """An index that is built without a lock that requests wait for. The build waits for every older transaction."""

    name: str
    create: str
    """`CREATE [UNIQUE] INDEX CONCURRENTLY IF NOT EXISTS …`"""


@dataclass(frozen=True)
class Batches:
    """Changes to the rows of a table, each batch in a transaction that locks its own rows only."""

    table: str
    """Its `id` numbers the batches."""
    statements: tuple[str, ...]
    """Executed for each batch, with `$1` the first id and `$2` the last."""
    rows: int = 1000


Step: TypeAlias = Statements | ConcurrentIndex | Batches


def absent(constraint: str, table: str) -> str:
    """Removes a constraint that an earlier attempt may have left."""
    return f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}"
