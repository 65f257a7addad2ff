"""Faults of the primary."""

import asyncio
import math
import time

from bench.faults.load import Phase
from bench.faults.measures import seconds_until
from bench.faults.row import Row
from bench.faults.trial import Trial
from bench.faults.writing import Attempt

REFUSED_SECONDS, RECOVERED_SECONDS, BREAKER_SECONDS = 2.0, 5.0, 2.0
AFTER_SECONDS = 8.0
"""Longer than a breaker stays open."""


async def _killed(trial: Trial) -> None:
    """SIGKILL of the primary."""
    primary = trial.stack.postgres
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(primary.kill, primary.start):
            await asyncio.sleep(trial.seconds)
        back = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
    trial.judged(phase)
    check_refusals(trial, phase)
    check_recovery(trial, phase, back)


async def _frozen(trial: Trial) -> None:
    """SIGSTOP of the primary."""
    primary, services = trial.stack.postgres, trial.system.services
    serving = (services.control_plane, *services.data_planes)
    async with trial.load.running() as phase, trial.liveness() as liveness:
        await asyncio.sleep(trial.calm_seconds)
        before = await trial.measures(*serving)
        async with trial.broken(primary.freeze, primary.thaw) as begun:
            opened = await seconds_until(
                trial.http,
                services.control_plane.urls[0],
                lambda measures: measures.total("tm_breaker_state", dependency="postgres") == 2,
                since=begun,
                within=trial.seconds,
            )
            await asyncio.sleep(max(0.0, begun + trial.seconds - time.monotonic()))
        back = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        grown = (await trial.measures(*serving)).since(before)
    trial.judged(phase)
    trial.at_most("the control plane's breaker opens", opened, BREAKER_SECONDS)
    slow = grown.slower_than("tm_event_loop_lag_seconds", "0.1")
    trial.at_most("samples of an event loop's lag above 0.1 s", slow, 0, "")
    trial.none_of("every service is alive", liveness.failed)
    trial.notes.append(f"{liveness.asked:,} probes of liveness, the slowest {1000 * liveness.longest:.0f} ms")
    check_refusals(trial, phase)
    check_recovery(trial, phase, back)


def check_refusals(trial: Trial, phase: Phase) -> None:
    """Record whether every refused write was refused as promised."""

    def is_right(attempt: Attempt) -> bool:
        took = attempt.took - phase.stalls.overlap(attempt.begun, attempt.ended)
        return attempt.status == 503 and attempt.has_retry_after and took <= REFUSED_SECONDS

    refused = phase.written.refused
    trial.at_least("writes were refused, so the fault was felt", len(refused), 1)
    trial.none_of(
        f"a refused write gets 503 with Retry-After within {REFUSED_SECONDS:g} s",
        [each for each in refused if not is_right(each)],
    )
    trial.notes.append(f"the slowest refusal took {max((each.took for each in refused), default=0.0):.2f} s")


def check_recovery(trial: Trial, phase: Phase, back: float) -> None:
    """Record how long writes were refused after the primary was back at this time (monotonic)."""
    later = [each for each in phase.written.attempts if each.begun >= back]
    last_refusal = max((each.ended for each in later if not each.is_ok), default=back)
    is_back = any(each.is_ok and each.ended >= last_refusal for each in later)
    trial.at_most("writes are accepted again", last_refusal - back if is_back else math.inf, RECOVERED_SECONDS)


ROWS = (
    Row(
        1,
        "primary SIGKILL",
        "resolver errors 0; writes 503 with Retry-After within 2 s; recovered within 5 s; never a 2xx without row and outbox",
        30,
        5,
        _killed,
    ),
    Row(2, "primary SIGSTOP", "breaker open within 2 s; loop lag < 100 ms; liveness holds", 30, 6, _frozen),
)
