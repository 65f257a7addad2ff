"""The settings of the data plane."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from shared.runtime.settings import CommaSeparated, PostgresUrl, RedisUrl, ServiceSettings, split_commas


class DataPlaneSettings(ServiceSettings):
    """The settings of a resolver instance."""

    replica_urls: Annotated[tuple[PostgresUrl, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="Connection URLs of PostgreSQL read replicas, the source of cache misses, comma separated.",
    )
    replica_zones: CommaSeparated = Field(
        default=(),
        description="Zone of each replica in TM_REPLICA_URLS, in the same order, comma separated. Unset: no zone is preferred.",
    )
    zone: str = Field(
        default="",
        description="Zone of this resolver: usable replicas in it are read before the others. Unset: unknown.",
    )
    postgres_url: PostgresUrl | None = Field(
        default=None,
        repr=False,
        validate_default=True,
        description="Connection URL of the PostgreSQL primary: the source when no replica is usable, and the reference clock.",
    )
    redis_url: RedisUrl = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,
        description="Redis, the L2 cache that all resolver instances share: the master, which takes all writes.",
    )
    redis_replica_urls: Annotated[tuple[RedisUrl, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="Replicas of that Redis, comma separated. The first in the resolver's own zone serves its fresh entries.",
    )
    redis_replica_zones: CommaSeparated = Field(
        default=(),
        validate_default=True,
        description="Zone of each replica in TM_REDIS_REPLICA_URLS, in the same order, comma separated.",
    )
    positive_ttl_seconds: float = Field(
        default=60, gt=0, le=3600, description="TTL of an active route, in seconds since it was read from the database."
    )
    negative_ttl_seconds: float = Field(
        default=10,
        gt=0,
        le=3600,
        description="TTL of a negative entry (no active route), in seconds since it was read from the database.",
    )
    stale_if_error_seconds: float = Field(
        default=3600,
        ge=0,
        le=7 * 24 * 3600,
        description="Seconds after its TTL that an entry may still be returned, marked stale, when every source fails.",
    )
    l1_entries: int = Field(
        default=200_000,
        ge=1,
        le=10_000_000,
        description="Capacity of the L1 cache, in entries; S3-FIFO evicts the least used ones.",
    )
    tenant_loads_per_second: float = Field(
        default=5000,
        ge=0,
        description="Sustained rate of loads of one tenant's routes that L1 lacks, per process. Above it, known routes are served "
        "stale, others get 429. 0: no limit.",
    )
    tenant_load_burst: int = Field(
        default=20_000, ge=1, description="Burst of loads of one tenant's routes above the sustained rate, per process."
    )
    tenant_absent_keys: int = Field(
        default=10_000,
        ge=1,
        description="Routes never created that one tenant may add to L1 and Redis within TM_NEGATIVE_TTL_SECONDS, per process. "
        "Beyond that they are answered from the database and not cached.",
    )
    resolve_deadline_seconds: float = Field(
        default=0.3, gt=0, le=30, description="Deadline of one resolve request, in seconds, over all layers."
    )
    redis_timeout_seconds: float = Field(
        default=0.025, gt=0, le=5, description="Timeout of one call to Redis, in seconds."
    )
    database_timeout_seconds: float = Field(
        default=0.12, gt=0, le=10, description="Timeout of one query to PostgreSQL, in seconds."
    )
    replica_connections: int = Field(
        default=8, ge=1, le=200, description="Connections to each read replica, and so its concurrent queries."
    )
    primary_connections: int = Field(
        default=4, ge=1, le=100, description="Connections to the primary, and so its concurrent queries."
    )
    verifier_interval_seconds: float = Field(
        default=1,
        ge=0,
        le=3600,
        description="Seconds between two comparisons of a cached route with the database. 0: the verifier is off.",
    )
    watch_clients: int = Field(
        default=2500, ge=0, le=100_000, description="Maximum number of open watches of a process; 503 above it."
    )
    watch_clients_per_tenant: int | None = Field(
        default=None,
        ge=0,
        description="Maximum number of open watches of one tenant; 429 above it. Unset: nine tenths of TM_WATCH_CLIENTS. "
        "In any case a tenant has at most nine times as many as are free, so that every other tenant finds a place.",
    )
    change_log_changes: int = Field(
        default=20_000,
        ge=1,
        description="Changes in the change logs of a process, over all tenants. A watch resumes from its revision while that is in the log.",
    )
    change_log_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1,
        description="Memory of the change logs of a process, about, over all tenants: the oldest change sets are dropped above it.",
    )
    watch_snapshot_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=1,
        description="Bytes of the tenant snapshots that a process sends to new watches; 503 above it. The watches of one tenant "
        "share a snapshot.",
    )
    watch_progress_seconds: float = Field(
        default=10, gt=0, le=300, description="Seconds between two progress events on a watch."
    )
    watch_send_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=300,
        description="Seconds a client may take to receive what a watch sends; then the watch is closed as slow.",
    )
    kafka_start_seconds: float = Field(
        default=3,
        ge=0,
        le=60,
        description="Seconds that a start waits to connect to Kafka and to apply what changed since its snapshot, before it serves without.",
    )
    snapshot_path: Path | None = Field(
        default=None,
        description="File of the cache snapshot, on a disk that outlives the process. Unset: no snapshot.",
    )
    snapshot_interval_seconds: float = Field(
        default=60, gt=0, le=3600, description="Seconds between two snapshots. One more is written on drain."
    )
    warmup_seconds: float = Field(
        default=5, ge=0, le=300, description="Seconds that a start may load routes before it is ready. 0: no warm-up."
    )
    warmup_per_second: int = Field(
        default=2000,
        ge=1,
        description="Routes that the warm-up loads per second, a bound on its load on the database.",
    )
    key_snapshot_path: Path | None = Field(
        default=None,
        description="File of the key snapshot (hashes of the access keys), used to start without Kafka. Unset: no key snapshot.",
    )

    _split_replicas = field_validator(
        "replica_urls", "replica_zones", "redis_replica_urls", "redis_replica_zones", mode="before"
    )(split_commas)

    @property
    def watch_clients_limit_per_tenant(self) -> int:
        """Open watches that one tenant may have. By default a tenth of all is left to other tenants, but a tenant gets one."""
        limit = self.watch_clients_per_tenant
        return max(self.watch_clients * 9 // 10, min(self.watch_clients, 1)) if limit is None else limit

    @field_validator("watch_clients_per_tenant")
    @classmethod
    def _are_among_all(cls, of_tenant: int | None, others: ValidationInfo) -> int | None:
        # A wrong TM_WATCH_CLIENTS has an error of its own.
        at_most = others.data.get("watch_clients")
        if of_tenant is not None and at_most is not None and of_tenant > at_most:
            raise ValueError(f"must not exceed TM_WATCH_CLIENTS, which is {at_most}; unset it for nine tenths")
        return of_tenant

    @field_validator("replica_zones")
    @classmethod
    def _are_as_many_as_replicas(cls, zones: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        # A wrong TM_REPLICA_URLS has an error of its own.
        replicas = others.data.get("replica_urls")
        if zones and replicas is not None and len(zones) != len(replicas):
            raise ValueError(f"must name one zone for each of the {len(replicas)} replicas in TM_REPLICA_URLS")
        return zones

    @field_validator("redis_replica_zones")
    @classmethod
    def _are_as_many_as_redis_replicas(cls, zones: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        replicas = others.data.get("redis_replica_urls")
        if replicas is not None and len(zones) != len(replicas):
            raise ValueError(f"must name one zone for each of the {len(replicas)} replicas in TM_REDIS_REPLICA_URLS")
        return zones

    @property
    def redis_zone_replica_url(self) -> str | None:
        """The first Redis replica in the resolver's own zone; None if there is none, or the zone is unknown."""
        pairs = zip(self.redis_replica_urls, self.redis_replica_zones, strict=True)
        return next((url for url, zone in pairs if self.zone and zone == self.zone), None)

    @field_validator("postgres_url")
    @classmethod
    def _is_one_of_two(cls, url: str | None, others: ValidationInfo) -> str | None:
        # A wrong TM_REPLICA_URLS has an error of its own.
        if url is None and others.data.get("replica_urls") == ():
            raise ValueError("set this or TM_REPLICA_URLS, or both: routes are loaded from PostgreSQL")
        return url
