"""All rows, and how one is run on the product."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.faults.aftermath import Aftermath
from bench.faults.commit_history import Promise
from bench.faults.load import Load, Rates
from bench.faults.report import Finding
from bench.faults.row import Row
from bench.faults.rows import (
    kafka,
    lost_records,
    mongo,
    poison,
    primary,
    quotas,
    redis,
    relay,
    replay,
    replica,
    slow_clients,
)
from bench.faults.trial import CALM_SECONDS, Trial
from tests.support.system import System
from tests.support.waiting import eventually

_MODULES = (primary, replica, redis, kafka, mongo, relay, replay, poison, lost_records, slow_clients, quotas)
ROWS: Sequence[Row] = sorted((row for module in _MODULES for row in module.ROWS), key=lambda row: row.number)
MAX_FAILURE = 500
"""Characters of an error in the report."""
CURRENT_SECONDS = 5.0
"""Heartbeats come every 2 s."""


class Suite:
    """Runs rows one after the other on one running product, with one history."""

    def __init__(self, system: System, load: Load, *, scale: float, calm_seconds: float = CALM_SECONDS) -> None:
        self._system = system
        self._load = load
        self._scale = scale
        self._calm_seconds = calm_seconds
        self._aftermath = Aftermath()

    async def run(self, row: Row) -> Finding:
        """Run one row and compare all stores. An error of the row is part of what it finds."""
        trial = Trial(self._system, self._load, row.lasts(self._scale), self._scale, self._calm_seconds)
        begun, failure = time.monotonic(), ""
        try:
            await self._aftermath.begin(trial)
            await row.run(trial)
            await eventually(lambda: self._is_current(trial), within=60)
            await self._aftermath.check(trial)
        except Exception as error:  # noqa: BLE001 - the next row may still show something
            failure = described(error)
        finally:
            for clean_up in reversed(trial.cleanup):
                await clean_up()
        return Finding(row, trial.seconds, time.monotonic() - begun, trial.checks, trial.notes, failure)

    async def _is_current(self, trial: Trial) -> bool:
        """Whether every instance applies events again. A right answer proves nothing: its entry may just have expired."""
        ages = [
            (await trial.measures(each)).total("tm_staleness_bound_seconds")
            for each in self._system.services.data_planes
        ]
        return all(age < CURRENT_SECONDS for age in ages)


def described(error: BaseException) -> str:
    """The error as text; of a group, the errors in it."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(described(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"[:MAX_FAILURE]


@asynccontextmanager
async def loaded(system: System, rates: Rates, promise: Promise, instances: Sequence[str] = ()) -> AsyncIterator[Load]:
    """The load on the resolvers of the product, or on these instances, with every route cached."""
    prefix = f"faults-{secrets.token_hex(3)}"
    load = Load(
        system.control_url,
        instances or system.resolver_urls,
        tenants=[f"{prefix}-{number}" for number in range(1, rates.tenants + 1)],
        key=system.services.admin_key.text(),
        rates=rates,
        promise=promise,
    )
    await load.prepare()
    yield load
