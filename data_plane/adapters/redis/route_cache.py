"""The shared cache in Redis."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any, NewType, TypeAlias

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from data_plane.adapters.redis.compare_and_set import SCRIPT
from data_plane.adapters.redis.hot_keys import PREFIX, recently_used
from data_plane.adapters.redis.zone_replica import MASTER_TIME_SECONDS, ZoneReplica
from data_plane.domain.entry import Entry, State
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime, RemoteClock
from data_plane.domain.route_encoding import from_text, to_text
from data_plane.errors import UnreadableEntry
from shared.runtime.clock import NEVER, Clock, LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.micro_batcher import BatchedCall
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.identity import RouteKey

ScriptArguments: TypeAlias = tuple[bytes | str | int, ...]
"""KEYS and ARGV of one run of the script."""
RedisTime = NewType("RedisTime", float)
"""Seconds of the Redis server's clock."""

REDIS_FAILURES: tuple[type[Exception], ...] = (RedisError,)
BATCH_SECONDS = 0.1
"""Timeout of a write of many entries. No request waits for one."""
MAX_BATCH_KEYS = 500
"""Entries per write: Redis runs one script at a time, and larger writes would delay other clients."""
_SCRIPT_ID = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    revision: int
    state: State
    value: str
    read_at_ms: int
    expires_at_ms: int
    proven_at_ms: int = 0
    tenant_revision: int = 0


_decoder = msgspec.msgpack.Decoder(_Stored)


def connect(url: str, timeout_seconds: float) -> Redis:
    """A client without retries or timeouts per read and write: the guard has one for the whole call.

    It connects on first use.
    """
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None, socket_connect_timeout=timeout_seconds)


class RedisRouteCache:
    """Entries under `route:<tenant>:<service>:<env>:<version>`, dated by Redis's clock.

    Local clocks and Redis's may differ: each time is converted by a reading of Redis's clock from the same connection, and
    the duration of the round trip only ever shortens the remaining TTL. `proven_at` is stored unchanged, on the primary's
    clock.

    "Redis" is the master: it has all writes, and its clock dates them. With a replica of the resolver's own zone, fresh
    entries are read there. An older entry of a replica that lags does no harm: L1 has every change that this process
    applied, and refuses what is older (docs/adr/0048).
    """

    def __init__(
        self,
        client: Redis,
        *,
        guard: Guard,
        clock: Clock,
        metrics: Metrics,
        keep_seconds: float,
        zone_replica: ZoneReplica | None = None,
    ) -> None:
        """`keep_seconds`: time for which an entry is kept past its TTL.

        The entry of a route that was never created is not kept past it: callers can name any number of such routes.
        """
        self._client = client
        self._zone_replica = zone_replica
        self._guard = guard
        self._clock = clock
        self._keep_ms = math.ceil(keep_seconds * 1000)
        self._redis_clock: RemoteClock[LocalTime, RedisTime] = RemoteClock()
        self._clock_read_at = NEVER
        self._sizes = metrics.histogram("tm_load_batch_keys").labels("redis")
        # One write at a time: entries added meanwhile share the next round trip.
        self._single_writes = BatchedCall(self._store, max_concurrent=1, max_size=MAX_BATCH_KEYS)

    async def get(self, key: RouteKey) -> Entry | None:
        (found,) = await self.get_many([key])
        if isinstance(found, UnreadableEntry):
            raise found
        return found

    async def get_many(self, keys: Sequence[RouteKey]) -> Sequence[Entry | UnreadableEntry | None]:
        self._sizes.observe(len(keys))
        if self._zone_replica is None:
            return await self._read_master(keys)
        return await self._read_zone(keys, self._zone_replica)

    async def _read_master(self, keys: Sequence[RouteKey]) -> Sequence[Entry | UnreadableEntry | None]:
        sent = self._clock.monotonic()
        async with self._guard.call(), self._client.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.mget([_name(key) for key in keys])
            time, values = await pipeline.execute()
        now_ms = self._observe_clock(sent, time)
        return [_entry_or_error(key, value, sent, now_ms) for key, value in zip(keys, values, strict=True)]

    async def _read_zone(
        self, keys: Sequence[RouteKey], replica: ZoneReplica
    ) -> Sequence[Entry | UnreadableEntry | None]:
        """Fresh entries from the replica, and all others from the master."""
        sent = self._clock.monotonic()
        now = self._redis_clock.latest(sent)
        if now is None or sent >= self._clock_read_at + MASTER_TIME_SECONDS:
            return await self._read_master(keys)
        values = await replica.read([_name(key) for key in keys])
        found = [_entry_or_error(key, value, sent, now * 1000) for key, value in zip(keys, values, strict=True)]
        lacking = [place for place, each in enumerate(found) if not isinstance(each, Entry) or each.expires_at <= sent]
        try:
            read = await self._read_master([keys[place] for place in lacking]) if lacking else ()
        except DependencyUnavailable:
            if len(lacking) == len(keys):
                raise
            return found
        for place, each in zip(lacking, read, strict=True):
            found[place] = each
        return found

    async def put(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        if len(entries) == 1:
            return [await self._single_writes(entries[0])]
        return await self._store(entries, within=BATCH_SECONDS)

    async def _store(self, entries: Sequence[Entry], within: float | None = None) -> Sequence[Entry | None]:
        async with self._guard.call(within=within):
            if self._redis_clock.earliest(self._clock.monotonic()) is None:
                sent = self._clock.monotonic()
                self._observe_clock(sent, await self._client.time())
            sent = self._clock.monotonic()
            replies = await self._compare_and_set([self._arguments(entry, sent) for entry in entries])
        return [self._current_entry(entry, reply, sent) for entry, reply in zip(entries, replies, strict=True)]

    async def hot_keys(self, limit: int) -> Sequence[RouteKey]:
        """The most recently used routes."""
        return await recently_used(self._client, self._guard, limit)

    async def close(self) -> None:
        if self._zone_replica is not None:
            await self._zone_replica.close()
        await self._client.aclose()

    def _observe_clock(self, sent: LocalTime, time: tuple[int, int]) -> float:
        seconds = RedisTime(time[0] + time[1] / 1e6)
        self._redis_clock.observe(sent=sent, received=self._clock.monotonic(), remote=seconds)
        self._clock_read_at = sent
        return seconds * 1000

    def _arguments(self, entry: Entry, sent: LocalTime) -> ScriptArguments:
        remaining, age = entry.expires_at - sent, sent - entry.read_at
        sent_at = self._redis_clock.earliest(sent) or 0.0
        return (
            _name(entry.key),
            entry.revision,
            int(entry.state),
            to_text(entry.value),
            math.floor(remaining * 1000),
            math.ceil(age * 1000),
            math.floor(sent_at * 1000),
            0 if entry.state is State.ABSENT else self._keep_ms,
            math.floor(entry.proven_at * 1000) if math.isfinite(entry.proven_at) else 0,
            entry.tenant_revision,
        )

    async def _compare_and_set(self, commands: Sequence[ScriptArguments]) -> list[Any]:
        try:
            return await self._run(commands)
        except NoScriptError:
            # Redis was restarted, or is new. The commands are idempotent.
            await self._client.script_load(SCRIPT)
            return await self._run(commands)

    async def _run(self, commands: Sequence[ScriptArguments]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.evalsha(_SCRIPT_ID, 1, *command)
            return list(await pipeline.execute())

    def _current_entry(self, entry: Entry, reply: list[Any], sent: LocalTime) -> Entry | None:
        if reply[0] == 1:
            return None
        try:
            return _entry(entry.key, reply[1], sent, reply[2])
        except UnreadableEntry:
            return None


def _name(key: RouteKey) -> bytes:
    return PREFIX + f"{key.tenant}:{key.service}:{key.env}:{key.version}".encode()


def _entry_or_error(
    key: RouteKey, value: bytes | None, sent: LocalTime, now_ms: float
) -> Entry | UnreadableEntry | None:
    try:
        return None if value is None else _entry(key, value, sent, now_ms)
    except UnreadableEntry as error:
        return error


def _entry(key: RouteKey, value: bytes, sent: LocalTime, now_ms: float) -> Entry:
    """The stored entry in local time. Redis showed `now_ms` some time after `sent`."""
    try:
        stored = _decoder.decode(value)
        offset = sent - now_ms / 1000
        held = from_text(stored.value)
        read_at = LocalTime(stored.read_at_ms / 1000 + offset)
        expires_at = LocalTime(stored.expires_at_ms / 1000 + offset)
        proven = PrimaryTime(stored.proven_at_ms / 1000) if stored.proven_at_ms else UNPROVEN
        tenant_revision = max(stored.revision, stored.tenant_revision)  # An earlier release did not write the latter.
        return Entry(key, stored.state, held, stored.revision, read_at, expires_at, proven, tenant_revision)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableEntry(f"{_name(key).decode()} holds no entry: {error}") from error
