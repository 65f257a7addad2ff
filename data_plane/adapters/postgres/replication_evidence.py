"""How far a PostgreSQL server is behind the primary, as it shows itself.

A standby gives two kinds of evidence.

- The relay's heartbeat in the snapshot: everything acknowledged before it stands in the same snapshot.
- The WAL receiver: when the standby has replayed all that the primary had at its last message, it has everything up to
  when that was sent. Functions are evaluated after the snapshot was taken, so this holds for later snapshots only. A
  session therefore remembers it, and the next query on the same connection (the same server) uses it.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime
from shared.runtime.clock import LocalTime

_EVIDENCE = """
    pg_is_in_recovery() AS is_standby,
    transaction_timestamp() AS began,
    clock_timestamp() AS server_time,
    (SELECT as_of FROM relay_heartbeat) AS heartbeat,
    heard.last_msg_send_time AS heard_sent,
    heard.last_msg_receipt_time AS heard_received
"""
_HEARD = """
    (SELECT last_msg_send_time, last_msg_receipt_time FROM pg_stat_wal_receiver
     WHERE status = 'streaming' AND pg_last_wal_replay_lsn() >= latest_end_lsn) AS heard
"""

STANDING = f"SELECT {_EVIDENCE} FROM (SELECT) AS one LEFT JOIN {_HEARD} ON true"  # noqa: S608 - constants only

# One row per asked key, in order: $1 tenants, $2 services, $3 environments, $4 versions.
READ = f"""
SELECT tenants.revision AS tenant_revision, endpoints.url, endpoints.is_active, endpoints.revision, {_EVIDENCE}
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     WITH ORDINALITY AS asked (tenant, service, environment, version, place)
LEFT JOIN tenants ON tenants.name = asked.tenant
LEFT JOIN services ON services.tenant_id = tenants.id AND services.name = asked.service
LEFT JOIN environments ON environments.service_id = services.id AND environments.name = asked.environment
LEFT JOIN endpoints ON endpoints.environment_id = environments.id AND endpoints.version = asked.version
LEFT JOIN {_HEARD} ON true
ORDER BY asked.place
"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class ReplicationEvidence:
    """Until when a server is known to have heard everything, in local monotonic seconds (-inf: not known).

    `in_snapshot`: for the snapshot that was just read. `shown_afterwards`: for every later one on the connection.
    """

    in_snapshot: LocalTime
    shown_afterwards: LocalTime

    @staticmethod
    def proven_at(row: Any) -> PrimaryTime:
        """The primary's time before which everything acknowledged is in the snapshot, by the primary's clock alone.

        Not by what the WAL receiver says: the position in a keepalive can be behind what is committed when it is sent.
        """
        shown: datetime | None = row["heartbeat"] if row["is_standby"] else row["began"]
        return UNPROVEN if shown is None else PrimaryTime(shown.timestamp())

    @classmethod
    def of(cls, row: Any, *, sent: LocalTime, received: LocalTime, primary_clock: PrimaryClock) -> Self:
        """The evidence in a row, which was asked for at `sent`."""
        if not row["is_standby"]:
            return cls(sent, sent)

        def local(primary_time: datetime | None, same_by_server: datetime | None) -> LocalTime:
            if primary_time is None or same_by_server is None:
                return LocalTime(-math.inf)
            by_primary = primary_clock.local_time_of(PrimaryTime(primary_time.timestamp()), at=sent)
            by_server = LocalTime(sent - (row["server_time"] - same_by_server).total_seconds())
            return min(by_server if by_primary is None else by_primary, received)

        snapshot = local(row["heartbeat"], row["heartbeat"])
        return cls(min(snapshot, sent), max(snapshot, local(row["heard_sent"], row["heard_received"])))
