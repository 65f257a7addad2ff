"""How far a PostgreSQL server is behind the primary, by its own account.

A standby gives two kinds of evidence:

- The relay's heartbeat in the snapshot: every change acknowledged before it is in the same snapshot.
- The WAL receiver: a standby that has replayed everything up to the position in the primary's last message has all changes
  up to the time of that message. The functions that show this run after the snapshot was taken, so it holds for later
  snapshots only. A session stores it for the next query on the same connection, which is to the same server.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime
from shared.runtime.clock import LocalTime

EVIDENCE_COLUMNS = """
    pg_is_in_recovery() AS is_standby,
    transaction_timestamp() AS began,
    clock_timestamp() AS server_time,
    (SELECT as_of FROM relay_heartbeat) AS heartbeat,
    receiver.last_msg_send_time AS last_message_sent,
    receiver.last_msg_receipt_time AS last_message_received
"""
WAL_RECEIVER = """
    (SELECT last_msg_send_time, last_msg_receipt_time FROM pg_stat_wal_receiver
     WHERE status = 'streaming' AND pg_last_wal_replay_lsn() >= latest_end_lsn) AS receiver
"""

READ_EVIDENCE = f"SELECT {EVIDENCE_COLUMNS} FROM (SELECT) AS one LEFT JOIN {WAL_RECEIVER} ON true"  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class ReplicationEvidence:
    """Local times up to which a server is proven to have every change (-inf: nothing is proven).

    `for_this_snapshot`: of the snapshot that was just read. `for_later_snapshots`: of each later one on the connection.
    """

    for_this_snapshot: LocalTime
    for_later_snapshots: LocalTime

    @staticmethod
    def proven_at(row: Any) -> PrimaryTime:
        """The primary's time before which every acknowledged change is in the snapshot.

        The WAL receiver does not count here: the position in a keepalive may lag behind the commits when it is sent.
        """
        time: datetime | None = row["heartbeat"] if row["is_standby"] else row["began"]
        return UNPROVEN if time is None else PrimaryTime(time.timestamp())

    @classmethod
    def of(cls, row: Any, *, sent: LocalTime, received: LocalTime, primary_clock: PrimaryClock) -> Self:
        """The evidence in a row of a query sent at `sent` and answered at `received`."""
        if not row["is_standby"]:
            return cls(sent, sent)

        def local(primary_time: datetime | None, server_time: datetime | None) -> LocalTime:
            if primary_time is None or server_time is None:
                return LocalTime(-math.inf)
            by_primary = primary_clock.local_time_of(PrimaryTime(primary_time.timestamp()), at=sent)
            by_server = LocalTime(sent - (row["server_time"] - server_time).total_seconds())
            return min(by_server if by_primary is None else by_primary, received)

        snapshot = local(row["heartbeat"], row["heartbeat"])
        return cls(min(snapshot, sent), max(snapshot, local(row["last_message_sent"], row["last_message_received"])))
