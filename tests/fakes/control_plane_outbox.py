"""An outbox in memory, with one lock that its sessions compete for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from control_plane.domain.outbox import Acknowledged, Backlog, OutboxRecord, RecordKey, Unsent
from control_plane.errors import LeadershipLost

BATCH = 500


@dataclass
class FakeOutbox:
    """The Outbox port. `records` by id; `sent` has the position of each; `broken` is raised by every call.

    `quarantined`: the records in quarantine by id, with the reasons.
    """

    records: dict[int, OutboxRecord] = field(default_factory=dict)
    sent: dict[int, Acknowledged] = field(default_factory=dict)
    beats: list[datetime] = field(default_factory=list)
    purged: list[tuple[str, timedelta]] = field(default_factory=list)
    quarantined: dict[int, tuple[OutboxRecord, str]] = field(default_factory=dict)
    batch: int = BATCH
    broken: Exception | None = None
    looks: int = 0
    _leader: "FakeOutboxSession | None" = None
    _sessions: "list[FakeOutboxSession]" = field(default_factory=list)

    def commit(self, key: str, payload: bytes, topic: str = "route-events") -> OutboxRecord:
        """Add the row of a committed change, without waking the relay."""
        record = OutboxRecord(len(self.records) + 1, topic, key, {"correlation_id": "req-1"}, payload)
        self.records[record.id] = record
        return record

    @asynccontextmanager
    async def session(self, on_signal: Callable[[], None]) -> AsyncIterator["FakeOutboxSession"]:
        session = FakeOutboxSession(self, on_signal)
        self._sessions.append(session)
        try:
            async with session.scope:
                yield session
        except TimeoutError as error:
            raise LeadershipLost("the session was ended") from error
        finally:
            self._forget(session)

    def end_sessions(self) -> None:
        """End all sessions, as a restart of the database does."""
        for session in list(self._sessions):
            session.scope.reschedule(asyncio.get_running_loop().time())
            self._forget(session)

    def lead(self, session: "FakeOutboxSession") -> bool:
        self._leader = self._leader or session
        return self._leader is session

    def check(self, session: "FakeOutboxSession") -> None:
        if session not in self._sessions:
            raise LeadershipLost("the session was ended")

    async def signal(self) -> None:
        if self._leader is not None:
            self._leader.on_signal()

    async def backlog(self) -> Backlog:
        unsent = len(self.records) - len(self.sent)
        return Backlog(unsent, 1.0 if unsent else 0.0, len(self.quarantined))

    def _forget(self, session: "FakeOutboxSession") -> None:
        self._leader = None if self._leader is session else self._leader
        self._sessions = [each for each in self._sessions if each is not session]


class FakeOutboxSession:
    """The OutboxSession port."""

    def __init__(self, outbox: FakeOutbox, on_signal: Callable[[], None]) -> None:
        self._outbox = outbox
        self.on_signal = on_signal
        self.scope = asyncio.timeout(None)

    async def try_lead(self) -> bool:
        self._outbox.check(self)
        return self._outbox.lead(self)

    async def beat(self) -> datetime:
        self._outbox.check(self)
        self._outbox.beats.append(datetime.now(UTC))
        return self._outbox.beats[-1]

    async def unsent(self, without: Collection[RecordKey] = ()) -> Unsent:
        self._outbox.check(self)
        self._outbox.looks += 1
        if self._outbox.broken is not None:
            raise self._outbox.broken
        unsent = [
            record
            for id_, record in self._outbox.records.items()
            if id_ not in self._outbox.sent and record.record_key not in without
        ]
        return Unsent(tuple(unsent[: self._outbox.batch]), complete=len(unsent) < self._outbox.batch)

    async def mark_sent(self, acknowledged: Sequence[Acknowledged]) -> Sequence[tuple[str, float]]:
        self._outbox.check(self)
        marked = [each for each in acknowledged if each.record.id not in self._outbox.sent]
        self._outbox.sent.update({each.record.id: each for each in marked})
        return [(each.record.topic, 0.001) for each in marked]

    async def quarantine(self, record: OutboxRecord, why: str, marker: bytes | None) -> bool:
        self._outbox.check(self)
        if record.id in self._outbox.quarantined:
            return False
        self._outbox.quarantined[record.id] = (self._outbox.records.pop(record.id), why)
        if marker is not None:
            self._outbox.records[record.id] = replace(record, payload=marker)
            self._outbox.records = dict(sorted(self._outbox.records.items()))
        return True

    async def purge(self, older_than: timedelta) -> int:
        self._outbox.check(self)
        purged = list(self._outbox.sent) if not older_than else []
        for id_ in purged:
            del self._outbox.records[id_], self._outbox.sent[id_]
        return len(purged)

    async def purge_history(self, older_than: timedelta) -> int:
        self._outbox.check(self)
        self._outbox.purged.append(("history", older_than))
        return 0

    async def purge_recorded_responses(self, older_than: timedelta) -> int:
        self._outbox.check(self)
        self._outbox.purged.append(("answers", older_than))
        return 0
