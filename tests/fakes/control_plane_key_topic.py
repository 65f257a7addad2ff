"""The `access-keys` topic and its state in PostgreSQL, in memory."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from control_plane.domain.key_topic import KeyTopicContents, KeyTopicState, KeyVersion
from shared.schemas.access import KeysComplete
from tests.fakes.control_plane_keys import FakeAccessKeys


@dataclass
class FakeKeyTopic:
    """The KeyTopic, KeyPublications and KeyUse ports. What is sent arrives with the next poll, unless `is_stuck`."""

    keys: FakeAccessKeys
    contents: KeyTopicContents = field(default_factory=KeyTopicContents)
    stored: KeyTopicState = field(default_factory=lambda: KeyTopicState(0, is_requested=False))
    sent: list[tuple[str, int | None]] = field(default_factory=list)
    """Keys with their versions, None for an ended key, in the order in which they were sent."""
    completions: list[KeysComplete] = field(default_factory=list)
    is_stuck: bool = False
    _on_the_way: list[tuple[str, int | None] | KeysComplete] = field(default_factory=list)

    @asynccontextmanager
    async def read(self) -> AsyncIterator["FakeKeyTopic"]:
        self.contents.has_revived = False
        yield self

    async def poll(self) -> None:
        await asyncio.sleep(0.001)
        if self.is_stuck:
            return
        arrived, self._on_the_way = self._on_the_way, []
        for each in arrived:
            if isinstance(each, KeysComplete):
                self.contents.completion = each
            elif each[1] is None:
                self.contents.end(each[0])
            else:
                self.contents.put(each[0], each[1])

    async def state(self) -> KeyTopicState:
        return self.stored

    async def versions(self, after: str, limit: int) -> Sequence[KeyVersion]:
        now = datetime.now(UTC)
        found = [each for key_id, each in sorted(self.keys.keys.items()) if key_id > after]
        return [
            KeyVersion(
                each.key_id,
                each.version,
                is_revoked=each.revoked_at is not None,
                is_expired=each.expires_at is not None and each.expires_at <= now,
            )
            for each in found[:limit]
        ]

    async def send(self, key_ids: Sequence[str]) -> int:
        wanted = {each.key_id: each for each in await self.versions("", len(self.keys.keys)) if each.key_id in key_ids}
        self._send(
            {key_id: None if each.is_revoked or each.is_expired else each.version for key_id, each in wanted.items()}
        )
        return len(wanted)

    async def end_unknown(self, key_ids: Collection[str]) -> None:
        self._send(dict.fromkeys(sorted(set(key_ids) - self.keys.keys.keys())))

    async def complete(self, generation: int, keys: int) -> None:
        self.stored = KeyTopicState(generation, is_requested=False)
        record = KeysComplete(generation=generation, keys=keys, as_of=datetime.now(UTC))
        self.completions.append(record)
        self._on_the_way.append(record)

    async def note_used(self, used_at: Mapping[str, datetime]) -> None:
        for key_id, reported_at in used_at.items():
            key = self.keys.keys.get(key_id)
            at = min(reported_at, datetime.now(UTC))
            coarse = at.replace(minute=at.minute // 10 * 10, second=0, microsecond=0)
            if key is not None and (key.last_used_at is None or key.last_used_at < coarse):
                self.keys.keys[key_id] = replace(key, last_used_at=coarse)

    def _send(self, records: Mapping[str, int | None]) -> None:
        self.sent.extend(records.items())
        self._on_the_way.extend(records.items())


@dataclass
class FakeKeyUsageReports:
    """The KeyUsageReports port; `reports` arrive one with each poll."""

    reports: list[Mapping[str, datetime]] = field(default_factory=list)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator["FakeKeyUsageReports"]:
        yield self

    async def poll(self) -> Mapping[str, datetime]:
        await asyncio.sleep(0.01)
        return self.reports.pop(0) if self.reports else {}
