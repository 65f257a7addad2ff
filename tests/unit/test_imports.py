"""Tests share code through tests/support and tests/fakes only."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SHARED = ("tests.support", "tests.fakes")
PROGRAM = TESTS / "mutation"
"""Not tests: the command behind `make mutants`, whose modules import each other."""


def imported_modules(source: str) -> list[str]:
    """The modules of `tests` that a file imports from."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return [name for name in names if name.split(".")[0] == "tests"]


@pytest.mark.parametrize(
    "path", sorted(set(TESTS.rglob("*.py")) - set(PROGRAM.rglob("*.py"))), ids=lambda path: str(path.relative_to(TESTS))
)
def test_imports_come_from_support_and_fakes(path: Path) -> None:
    assert [name for name in imported_modules(path.read_text()) if not name.startswith(SHARED)] == []


def test_import_from_a_test_module_is_found() -> None:
    source = "from tests.unit.test_x import helper\nimport tests.e2e.conftest\nfrom tests.support import sse"
    assert set(imported_modules(source)) == {"tests.unit.test_x", "tests.e2e.conftest", "tests.support"}
