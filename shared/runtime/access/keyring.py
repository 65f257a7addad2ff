"""Every access key there is, in memory: what a credential is checked against without any I/O."""

import hmac
from collections.abc import Iterable
from datetime import datetime

from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.runtime.clock import Clock
from shared.runtime.fifo_dict import FifoDict
from shared.runtime.metrics import Metrics
from shared.schemas.access import AccessRecord

MAX_REMEMBERED = 100_000
"""Ended keys that are remembered by their id; an older one is answered as if it had never been."""


class Keyring:
    """The keys as last heard. A key that has ended never comes back: ids are not used twice."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._records: dict[str, AccessRecord] = {}
        self._ended: FifoDict[str, None] = FifoDict(MAX_REMEMBERED)
        self._complete_at: float | None = None
        self._loaded = False
        self.version = 0
        """Grows with every change: whoever keeps conclusions drawn from this one throws them away then."""
        count, age = metrics.gauge("tm_access_keys"), metrics.gauge("tm_access_watermark_age_seconds")
        metrics.before_scrape(lambda: count.set(len(self._records)))
        metrics.before_scrape(lambda: age.set(self.age()))

    @property
    def is_loaded(self) -> bool:
        """Whether it was complete once. Before that, a key that is not here may be a good one."""
        return self._loaded

    @property
    def is_empty(self) -> bool:
        return not self._records

    def put(self, record: AccessRecord) -> None:
        """Take in a key or its next version; older news of it changes nothing."""
        known = self._records.get(record.key_id)
        if record.key_id in self._ended or (known is not None and known.version >= record.version):
            return
        self._records[record.key_id] = record
        self.version += 1

    def end(self, key_id: str) -> None:
        """The key was revoked."""
        self._records.pop(key_id, None)
        self._ended.put(key_id, None)
        self.version += 1

    def keep_only(self, key_ids: Iterable[str]) -> None:
        """Forget every key that is not among these: what was heard from the beginning is all there is."""
        for gone in self._records.keys() - set(key_ids):
            del self._records[gone]
            self.version += 1

    def note_complete(self, at: float) -> None:
        """At this moment (monotonic seconds) no change was missing."""
        self._complete_at = at
        self._loaded = True

    def contents(self) -> tuple[tuple[AccessRecord, ...], tuple[str, ...]]:
        """Every key, and the ids of those that ended."""
        return tuple(self._records.values()), tuple(self._ended)

    def start_from(self, records: Iterable[AccessRecord], ended: Iterable[str], age: float) -> None:
        """Take in what was known `age` seconds ago. What is not among it stays unknown until all is heard."""
        for key_id in ended:
            self.end(key_id)
        for record in records:
            self.put(record)
        self._complete_at = self._clock.monotonic() - age

    def age(self) -> float:
        """Seconds since it was known to be complete; infinite when it never was."""
        return float("inf") if self._complete_at is None else max(0.0, self._clock.monotonic() - self._complete_at)

    def verify(self, key: AccessKey) -> tuple[Principal, datetime | None] | Refusal:
        """Whose key this is, and when that ends; or why it is nobody's."""
        record = self._records.get(key.key_id)
        if record is None:
            if key.key_id in self._ended:
                return Refusal.REVOKED
            return Refusal.INVALID if self.is_loaded else Refusal.UNKNOWN
        digest = key.sha256
        secret = next((each for each in record.secrets if hmac.compare_digest(each.sha256, digest)), None)
        if secret is None:
            return Refusal.INVALID
        ends = [moment for moment in (secret.until, record.expires_at) if moment is not None]
        if ends and min(ends) <= self._clock.now():
            return Refusal.EXPIRED
        return Principal(record.subject, record.role, record.tenant, record.key_id), min(ends, default=None)
