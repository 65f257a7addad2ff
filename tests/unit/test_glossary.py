"""The glossary names only settings, metrics, fields and classes that exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from docs.reference import SETTINGS
from shared.runtime.metric_catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "control_plane", "data_plane", "audit_consumer", "deploy/prometheus")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| term |", "|---"))
]


@cache
def existing(kind: str) -> frozenset[str]:
    """The names of this kind that the code has."""
    return frozenset(
        {
            "setting": lambda: {f"TM_{field.upper()}" for each in SETTINGS for field in each.model_fields},
            "metric": lambda: {each.name for each in CATALOGUE},
            "class": lambda: {name for node in _nodes() for name in _types(node)},
            "field": lambda: set(_fields()),
        }[kind]()
    )


def _types(node: ast.AST) -> Iterator[str]:
    """The name of a class or `NewType`."""
    if isinstance(node, ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "NewType":
        name = node.args[0]
        assert isinstance(name, ast.Constant)
        yield str(name.value)


def _nodes() -> Iterator[ast.AST]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text()))


def _fields() -> Iterator[str]:
    """Annotated attributes, and string constants: headers, topics and fields of JSON documents. In lower case."""
    for node in _nodes():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.lower()
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield node.value.decode(errors="replace").lower()


def kind_of(name: str) -> str:
    """The kind of a name, by its spelling."""
    if name.startswith("TM_"):
        return "setting"
    if name.startswith("tm_"):
        return "metric"
    return "class" if re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) else "field"


def exists(name: str) -> bool:
    """Whether the code has this name. The spelling of headers and fields is compared without case."""
    kind = kind_of(name)
    return (name.lower() if kind == "field" else name) in existing(kind)


@pytest.mark.parametrize(("term", "names"), [(row[0], row[2]) for row in ROWS])
def test_names_of_a_term_exist(term: str, names: str) -> None:
    missing = [name for name in re.findall(r"`([^`]+)`", names) if not exists(name)]
    assert missing == [], term


def test_each_term_has_one_line_with_a_meaning_and_a_name() -> None:
    terms = [row[0] for row in ROWS]
    assert len(terms) == len(set(terms))
    assert all(len(row) == 3 and row[1].endswith(".") and "`" in row[2] for row in ROWS)


@pytest.mark.parametrize("name", ["TM_NO_SUCH_SETTING", "tm_no_such_metric", "NoSuchClassAnywhere", "X-No-Such-Header"])
def test_unknown_name_does_not_exist(name: str) -> None:
    assert not exists(name)
