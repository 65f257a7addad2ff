"""The schema of a database, as its catalogue describes it, to compare two databases."""

from typing import Any

import asyncpg

_QUERIES = (
    """
    SELECT attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod), attnotnull, attidentity::text,
        attcollation::regcollation::text, pg_get_expr(adbin, adrelid), attacl::text
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    """,
    """
    SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), convalidated FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    """,
    """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index
    JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace
    """,
    """
    SELECT relname::text, relacl::text, reloptions::text, relrowsecurity, relforcerowsecurity FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    """,
    "SELECT tablename::text, policyname::text, permissive, roles::text, cmd, qual, with_check FROM pg_policies",
    "SELECT proname::text, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "SELECT version_num FROM alembic_version",
)


async def catalogue(url: str) -> list[list[Any]]:
    """Columns, constraints, indexes, privileges, policies and functions, in a stable order."""
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return [sorted(map(tuple, await connection.fetch(query)), key=repr) for query in _QUERIES]
    finally:
        await connection.close()
