"""The purge of old rows by the active relay."""

from dataclasses import replace
from datetime import timedelta

from control_plane.domain.requests import RESPONSE_RETENTION
from tests.fakes.control_plane_event_log import FakeEventLog
from tests.fakes.control_plane_outbox import FakeOutbox
from tests.support.relay import QUICK, running_relay
from tests.support.waiting import eventually


async def test_leader_purges_old_history_and_recorded_responses() -> None:
    outbox = FakeOutbox()
    timing = replace(QUICK, purge_seconds=0, history_retention=timedelta(days=7))
    async with running_relay(outbox, FakeEventLog(), timing):
        await eventually(lambda: _purged(outbox))
    assert set(outbox.purged) == {("history", timedelta(days=7)), ("answers", RESPONSE_RETENTION)}


async def _purged(outbox: FakeOutbox) -> bool:
    return len(outbox.purged) >= 2
