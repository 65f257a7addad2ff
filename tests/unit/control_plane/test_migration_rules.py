"""No migration makes requests wait: its statements are read for those that hold a table's lock for long."""

import importlib
import pkgutil
import re
from types import ModuleType

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from control_plane.migrations import versions
from control_plane.migrations.preparation import Batches, ConcurrentIndex, Statements

NAMES = sorted(module.name for module in pkgutil.iter_modules(versions.__path__))

LONG_UNDER_A_LOCK = {
    "changes rows: use Batches": r"^\s*(WITH\b.*)?(UPDATE|DELETE FROM|INSERT INTO|MERGE INTO|TRUNCATE)\s",
    "builds an index under a lock: use ConcurrentIndex": r"\bCREATE\s+(UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)",
    "builds an index for a constraint: ConcurrentIndex, then ADD CONSTRAINT … USING INDEX": (
        r"\bADD\s+(CONSTRAINT\s+\w+\s+)?(UNIQUE|PRIMARY\s+KEY|EXCLUDE)\b(?!\s+USING\s+INDEX)"
    ),
    "reads the table for a constraint: add it NOT VALID, validate it in another step": (
        r"\bADD\s+(CONSTRAINT\s+\w+\s+)?(FOREIGN\s+KEY|CHECK)\b(?!.*\bNOT\s+VALID\b)"
    ),
    "reads the table for a column's constraint: add the column, then the constraint NOT VALID": (
        r"\bADD\s+COLUMN\b.*\b(CHECK|REFERENCES|UNIQUE|PRIMARY\s+KEY)\b"
    ),
    "rewrites the table": (
        r"\bALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE\b|\bADD\s+COLUMN\b.*\b(GENERATED|DEFAULT\s+\w+\()"
        r"|\bVACUUM\s+FULL\b|\bCLUSTER\b|\bSET\s+(UN)?LOGGED\b"
    ),
    "waits for a lock without need": r"\bLOCK\s+TABLE\b|\bSET\s+(LOCAL\s+)?lock_timeout\b|\bREFRESH\s+MATERIALIZED\b",
}
SET_NOT_NULL = re.compile(r"\bALTER\s+TABLE\s+(\w+)\s+ALTER\s+COLUMN\s+(\w+)\s+SET\s+NOT\s+NULL\b", re.IGNORECASE)
_TABLE = re.compile(r"\b(?:ALTER\s+TABLE|ON)\s+(\w+)", re.IGNORECASE)
_CREATED = re.compile(r"\bCREATE\s+TABLE\s+(\w+)", re.IGNORECASE)


def migration(name: str) -> ModuleType:
    return importlib.import_module(f"{versions.__name__}.{name}")


def statements_of(module: ModuleType) -> list[str]:
    """Every statement that runs in a transaction with locks of tables: of `upgrade`, and of the preparation."""
    recorded: list[str] = []
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": _Recorder(recorded)}
    )
    with Operations.context(context):
        module.upgrade()
    for step in getattr(module, "PREPARATION", ()):
        if isinstance(step, Statements):
            recorded.extend(step.statements)
    return recorded


class _Recorder:
    def __init__(self, statements: list[str]) -> None:
        self._statements = statements

    def write(self, text: str) -> None:
        self._statements.extend(each for each in text.split(";\n") if each.strip())

    def flush(self) -> None:
        pass


def offences(statements: list[str]) -> list[str]:
    """What is wrong with each statement; tables that the same migration creates are empty, so that nothing is."""
    created = {name for each in statements for name in _CREATED.findall(each)}
    checked = {
        (table, column)
        for each in statements
        for table, column in re.findall(
            r"ALTER TABLE (\w+) ADD CONSTRAINT \w+ CHECK \((\w+) IS NOT NULL\) NOT VALID", each
        )
    }
    found = []
    for each in statements:
        table = _TABLE.search(each)
        if _CREATED.search(each) or (table is not None and table[1] in created):
            continue
        wrong = [
            what for what, pattern in LONG_UNDER_A_LOCK.items() if re.search(pattern, each, re.IGNORECASE | re.DOTALL)
        ]
        if any(found_column not in checked for found_column in SET_NOT_NULL.findall(each)):
            wrong.append("reads the table for NOT NULL: validate a check first")
        found += [f"{what}:\n{each}" for what in wrong]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_migration_holds_no_lock_for_long(name: str) -> None:
    assert offences(statements_of(migration(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_steps_of_a_preparation_can_be_repeated(name: str) -> None:
    for step in getattr(migration(name), "PREPARATION", ()):
        match step:
            case ConcurrentIndex():
                assert "CONCURRENTLY IF NOT EXISTS" in step.create
            case Batches():
                assert all("BETWEEN $1 AND $2" in each for each in step.statements)
            case Statements(statements):
                for each in statements:
                    _assert_repeatable(each, statements)


def _assert_repeatable(statement: str, beside: tuple[str, ...]) -> None:
    if "ADD COLUMN" in statement:
        assert "ADD COLUMN IF NOT EXISTS" in statement
    for name in re.findall(r"ADD CONSTRAINT (\w+)", statement):
        assert any(f"DROP CONSTRAINT IF EXISTS {name}" in each for each in beside)
    for name in re.findall(r"CREATE POLICY (\w+)", statement):
        assert any(f"DROP POLICY IF EXISTS {name}" in each for each in beside)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants SET routes = 0",
        "WITH counted AS (SELECT 1) UPDATE tenants SET routes = 0",
        "DELETE FROM outbox WHERE sent_at IS NULL",
        "CREATE INDEX by_time ON change_sets (committed_at)",
        "CREATE UNIQUE INDEX by_time ON change_sets (committed_at)",
        "ALTER TABLE services ADD UNIQUE (tenant_id, id)",
        "ALTER TABLE services ADD CONSTRAINT own UNIQUE (tenant_id, id)",
        "ALTER TABLE endpoints ADD FOREIGN KEY (tenant_id) REFERENCES tenants",
        "ALTER TABLE endpoints ADD CONSTRAINT c CHECK (revision > 0)",
        "ALTER TABLE endpoints ALTER COLUMN tenant_id SET NOT NULL",
        "ALTER TABLE endpoints ALTER COLUMN revision TYPE numeric",
        "ALTER TABLE tenants ADD COLUMN routes bigint NOT NULL DEFAULT 0 CHECK (routes >= 0)",
        "ALTER TABLE tenants ADD COLUMN at timestamptz DEFAULT clock_timestamp()",
    ],
)
def test_statement_that_holds_a_lock_for_long_is_found(statement: str) -> None:
    assert offences([statement])
