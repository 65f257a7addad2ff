"""Every HTTP client says whether it trusts the environment, whose proxies would see the credentials it sends."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("audit_consumer", "bench", "control_plane", "data_plane", "deploy", "examples", "shared", "tests")
CALLS = frozenset({"AsyncClient", "Client", "get", "post", "put", "delete", "head", "request", "stream"})
SAYING = frozenset({"trust_env", "transport"})
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if "httpx2" in path.read_text()]


def silent_clients(source: str) -> Iterator[int]:
    """The lines of the calls that use the environment's proxies without saying so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            module = node.func.value
            is_httpx = isinstance(module, ast.Name) and module.id == "httpx2"
            if is_httpx and SAYING.isdisjoint(keyword.arg or "" for keyword in node.keywords):
                yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_client_says_what_it_trusts(path: Path) -> None:
    assert list(silent_clients(path.read_text())) == []


def test_silent_client_is_found() -> None:
    assert list(silent_clients("import httpx2\nhttpx2.AsyncClient(timeout=1)\nhttpx2.get('x', trust_env=False)")) == [2]
