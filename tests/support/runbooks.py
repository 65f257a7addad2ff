"""The pages of docs/runbooks, and their fenced blocks."""

import re
from pathlib import Path

from tests.support.kubernetes_manifests import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(RUNBOOKS.rglob("*.md"))


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of the kind, without the indent of a list."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]
