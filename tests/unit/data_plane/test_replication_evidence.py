"""The staleness of a PostgreSQL server, by its own evidence."""

import math
from datetime import UTC, datetime, timedelta

from data_plane.adapters.postgres.replication_evidence import ReplicationEvidence
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from shared.runtime.clock import NEVER, LocalTime

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SENT, RECEIVED = LocalTime(1000.0), LocalTime(1000.5)


def _row(**shown: object) -> dict[str, object]:
    """A row of a standby, with only the given columns set."""
    nothing = {"heartbeat": None, "last_message_sent": None, "last_message_received": None}
    return {"is_standby": True, "server_time": _NOON, **nothing, **shown}


def _standing(row: dict[str, object], primary_clock: PrimaryClock | None = None) -> ReplicationEvidence:
    return ReplicationEvidence.of(row, sent=SENT, received=RECEIVED, primary_clock=primary_clock or PrimaryClock())


def _ago(seconds: float) -> datetime:
    return _NOON - timedelta(seconds=seconds)


def test_reading_of_the_primary_is_right_when_it_was_sent() -> None:
    assert _standing(_row(is_standby=False)) == ReplicationEvidence(SENT, SENT)


def test_read_from_a_standby_without_evidence_has_an_unknown_age() -> None:
    assert _standing(_row()) == ReplicationEvidence(NEVER, NEVER)


def test_heartbeat_in_a_database_snapshot_dates_the_snapshot() -> None:
    assert _standing(_row(heartbeat=_ago(3))) == ReplicationEvidence(LocalTime(SENT - 3), LocalTime(SENT - 3))


def test_wal_receiver_message_dates_later_snapshots_only() -> None:
    row = _row(heartbeat=_ago(3), last_message_sent=_ago(0.2), last_message_received=_ago(0.1))
    standing = _standing(row)
    assert standing.for_this_snapshot == SENT - 3
    assert math.isclose(standing.for_later_snapshots, SENT - 0.1)


def test_primary_clock_takes_precedence_over_the_standby_clock() -> None:
    primary_clock = PrimaryClock()
    # The standby's clock is an hour behind the primary's: by itself it would look as if it were ahead.
    primary_clock.observe(sent=SENT, received=SENT, remote=PrimaryTime((_NOON + timedelta(hours=1)).timestamp()))
    row = _row(heartbeat=_NOON + timedelta(minutes=59))
    assert _standing(row, primary_clock).for_this_snapshot == SENT - 60


def test_no_snapshot_is_dated_in_the_future() -> None:
    assert _standing(_row(heartbeat=_ago(-30))).for_this_snapshot == SENT
