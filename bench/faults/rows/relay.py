"""A relay that freezes while it leads, and resumes after another has taken over."""

import asyncio
import time

from bench.faults.measures import seconds_until
from bench.faults.row import Row
from bench.faults.trial import Trial
from tests.support.waiting import eventually

TAKEOVER_SECONDS = 15.0


async def _frozen(trial: Trial) -> None:
    """SIGSTOP of the leading control plane, then SIGCONT, with a second control plane that takes the writes."""
    first = trial.system.services.control_plane
    second = await trial.extra_instance("control_plane", "faults-second-relay")
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(first.freeze, first.thaw) as begun, trial.load.writing_to(second.urls[0]):
            taken_over = await seconds_until(
                trial.http,
                second.urls[0],
                lambda measures: measures.total("tm_outbox_relay_leader") == 1,
                since=begun,
                within=2 * TAKEOVER_SECONDS,
            )
            await asyncio.sleep(max(0.0, begun + trial.seconds - time.monotonic()))
        await eventually(lambda: _is_ready(trial), within=30)
        await asyncio.sleep(2)
        leaders = (await trial.measures(first, second)).total("tm_outbox_relay_leader")
    trial.judged(phase)
    trial.at_most("the second relay leads after", taken_over, TAKEOVER_SECONDS)
    trial.expect("one relay leads afterwards", f"{leaders:g}", kept=leaders == 1)
    regressions = (await trial.measures()).total("tm_revision_regressions_total")
    trial.at_most("answers with a lower revision than an earlier one", regressions, 0, "")


async def _is_ready(trial: Trial) -> bool:
    return (await trial.http.get(f"{trial.system.control_url}/health/ready")).status_code == 200


ROWS = (Row(14, "leading relay SIGSTOP, then CONT", "takeover <= 15 s; caches = database", 60, 16, _frozen),)
