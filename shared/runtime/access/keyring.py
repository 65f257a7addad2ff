"""All access keys in memory, so that credentials are verified without I/O."""

import hmac
from collections.abc import Iterable
from datetime import datetime

from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.runtime.clock import Clock
from shared.runtime.fifo_dict import FifoDict
from shared.runtime.metrics import Metrics
from shared.schemas.access import AccessRecord

MAX_ENDED = 100_000
"""Ids of ended keys that are kept. An older one is refused as invalid rather than as revoked."""


class Keyring:
    """The keys as last received. A key that has ended stays ended: ids are not reused."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._records: dict[str, AccessRecord] = {}
        self._ended: FifoDict[str, None] = FifoDict(MAX_ENDED)
        self._complete_at: float | None = None
        self._loaded = False
        self.version = 0
        """Grows with every change: cached results of `verify` are invalid then."""
        count, age = metrics.gauge("tm_access_keys"), metrics.gauge("tm_access_watermark_age_seconds")
        metrics.before_scrape(lambda: count.set(len(self._records)))
        metrics.before_scrape(lambda: age.set(self.age_seconds()))

    @property
    def is_loaded(self) -> bool:
        """Whether all keys have been received once. Before that, a key that is not in memory may be valid."""
        return self._loaded

    @property
    def is_empty(self) -> bool:
        return not self._records

    def put(self, record: AccessRecord) -> None:
        """Add a key or its next version; an older version changes nothing."""
        known = self._records.get(record.key_id)
        if record.key_id in self._ended or (known is not None and known.version >= record.version):
            return
        self._records[record.key_id] = record
        self.version += 1

    def end(self, key_id: str) -> None:
        """Remove a revoked key."""
        self._records.pop(key_id, None)
        self._ended.put(key_id, None)
        self.version += 1

    def keep_only(self, key_ids: Iterable[str]) -> None:
        """Remove every key that is not among these."""
        for key_id in self._records.keys() - set(key_ids):
            del self._records[key_id]
            self.version += 1

    def note_complete(self, at: float) -> None:
        """Note that no change was missing at this time, in monotonic seconds."""
        self._complete_at = at
        self._loaded = True

    def contents(self) -> tuple[tuple[AccessRecord, ...], tuple[str, ...]]:
        """All keys, and the ids of those that ended."""
        return tuple(self._records.values()), tuple(self._ended)

    def start_from(self, records: Iterable[AccessRecord], ended: Iterable[str], age_seconds: float) -> None:
        """Add the keys of `age_seconds` ago. Other keys stay unknown until all keys are received."""
        for key_id in ended:
            self.end(key_id)
        for record in records:
            self.put(record)
        self._complete_at = self._clock.monotonic() - age_seconds

    def age_seconds(self) -> float:
        """Seconds since no change was missing; infinite before that was ever so."""
        return float("inf") if self._complete_at is None else max(0.0, self._clock.monotonic() - self._complete_at)

    def verify(self, key: AccessKey) -> tuple[Principal, datetime | None] | Refusal:
        """The key's owner and expiry, or the reason to refuse it."""
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
