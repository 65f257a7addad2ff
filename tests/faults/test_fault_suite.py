"""A row of the suite behind `make faults` runs, sees its fault, and finds its promises kept."""

import pytest

from bench.faults.commit_history import Promise
from bench.faults.load import Rates
from bench.faults.suite import ROWS, Suite, loaded
from tests.support.system import System

RATES = Rates(resolves=100.0, writes=20.0, routes=400, cold_routes=40, tenants=4)
NOISE = ("p99", "half of the planned load", "breaker opens", "accepted again")
"""Promises about time that a loaded machine breaks; `make faults` checks them on an idle one."""


@pytest.mark.parametrize("number", [1, 16])
async def test_row_keeps_its_promises(system: System, number: int) -> None:
    (row,) = (row for row in ROWS if row.number == number)
    async with loaded(system, RATES, Promise()) as load:
        finding = await Suite(system, load, scale=0, calm_seconds=0.5).run(row)
    assert finding.failure == ""
    assert len(finding.checks) >= 5
    assert [
        each for each in finding.checks if not each.kept and not any(noise in each.promise for noise in NOISE)
    ] == []
