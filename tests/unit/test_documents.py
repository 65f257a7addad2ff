"""The documents agree with the code: reference pages, links, paths, modules and `make` targets."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs.reference import PAGES
from shared.runtime.metric_catalogue import CATALOGUE
from shared.runtime.renamed_settings import RENAMED_SETTINGS

ROOT = Path(__file__).parents[2]
FORBIDDEN_LABELS = {"tenant", "service", "env", "version", "key", "subject", "id"}
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "deploy" / "local" / "README.md",
]
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}

every_document = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "out of date: run `make docs`"


def test_no_metric_label_identifies_a_tenant_route_or_subject() -> None:
    labels = {(metric.name, label) for metric in CATALOGUE for label in metric.labels}
    assert {each for each in labels if each[1] in FORBIDDEN_LABELS} <= {("tm_build_info", "version")}


def test_metric_names_follow_the_conventions() -> None:
    for metric in CATALOGUE:
        assert metric.name.startswith("tm_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")


@every_document
def test_targets_of_links_exist(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@every_document
def test_named_paths_exist(page: Path) -> None:
    assert [path for path in named_paths(page.read_text()) if not list(ROOT.glob(path))] == []


@every_document
def test_modules_in_commands_exist(page: Path) -> None:
    modules = re.findall(r"python -m ([\w.]+[a-z0-9_])", page.read_text())
    assert [module for module in modules if find_spec(module) is None] == []


@every_document
def test_make_targets_in_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


def test_changelog_lists_every_renamed_setting() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert [old for old, new in RENAMED_SETTINGS.items() if f"| `{old}` | `{new}` |" not in changelog] == []


def test_benchmarks_in_the_architecture_exist() -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("## Benchmarks")[2]
    names = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert names
    modules = {name: (ROOT / "bench" / f"{name}.py", ROOT / "bench" / name / "__main__.py") for name in names}
    assert [name for name, files in modules.items() if not any(each.exists() for each in files)] == []


def test_paths_are_recognised_in_prose_and_tables() -> None:
    text = "see `shared/none.py`, `GET /api/v1/none`, `bench/*.lua` and `tests/{unit,none}/x.py`"
    assert named_paths(text) == ["shared/none.py", "bench/*.lua", "tests/unit/x.py", "tests/none/x.py"]


def named_paths(text: str) -> list[str]:
    """The paths of this repository in code spans, with `{a,b}` expanded. They may be glob patterns."""
    spans = re.findall(r"`([\w.-]+/[\w./*{},-]*)(?:::\w+)?`", text)
    return [path for span in spans if span.split("/")[0] in FOLDERS for path in _expanded(span)]


def _expanded(path: str) -> list[str]:
    head, brace, rest = path.partition("{")
    if not brace:
        return [path]
    choices, _, tail = rest.partition("}")
    return [each for choice in choices.split(",") for each in _expanded(head + choice + tail)]
