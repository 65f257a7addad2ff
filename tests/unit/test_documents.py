import re
from pathlib import Path

import pytest

from docs.reference import PAGES
from shared.runtime.metric_catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
FORBIDDEN_LABELS = {"tenant", "service", "env", "version", "key", "subject", "id"}


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_says_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "out of date: run `make docs`"


def test_no_metric_label_carries_what_tenants_own() -> None:
    labels = {(metric.name, label) for metric in CATALOGUE for label in metric.labels}
    assert {each for each in labels if each[1] in FORBIDDEN_LABELS} <= {("tm_build_info", "version")}


def test_metric_names_follow_the_conventions() -> None:
    for metric in CATALOGUE:
        assert metric.name.startswith("tm_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_make_targets_named_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"`make ([a-z-]+)", page.read_text())
    }
    assert named <= targets
