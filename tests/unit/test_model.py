"""The model of freshness: what it must find without a safeguard, and that its page tells of the same cases."""

import shutil
from pathlib import Path

import pytest

from docs.model.__main__ import CASES, MODEL, Case, search

PAGE = Path(MODEL).with_name("README.md").read_text()
MISSING = [program for program in ("spin", "gcc") if shutil.which(program) is None]
needs_spin = pytest.mark.skipif(bool(MISSING), reason="needs spin and a C compiler (Debian: apt-get install spin gcc)")


@needs_spin
@pytest.mark.parametrize("case", [each for each in CASES if each.without], ids=lambda case: case.name)
def test_model_breaks_without_each_safeguard(case: Case) -> None:
    assert search(case).broken == case.breaks


@needs_spin
def test_model_keeps_every_invariant_through_an_eviction() -> None:
    result = search(CASES[0])
    assert (result.broken, result.states > 100_000) == ("", True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_page_tells_of_each_case(case: Case) -> None:
    row = f"(`{case.without}`) | {case.breaks} |" if case.without else f"| `{case.name}` |"
    assert row in PAGE
