"""What the data plane can be told."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from shared.runtime.settings import CommaSeparated, ServiceSettings, split_commas


def _postgres_url(url: str) -> str:
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    return url


def _redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must start with redis://, rediss:// or unix://")
    return url


class DataPlaneSettings(ServiceSettings):
    """The settings of a resolver instance."""

    replica_urls: CommaSeparated = Field(
        default=(), repr=False, description="PostgreSQL read replicas that answer what no cache knows, comma separated."
    )
    postgres_url: Annotated[str, AfterValidator(_postgres_url)] | None = Field(
        default=None,
        repr=False,
        validate_default=True,
        description="PostgreSQL primary: asked when no replica is fit, and for the time of its clock.",
    )
    redis_url: Annotated[str, AfterValidator(_redis_url)] = Field(
        default="redis://127.0.0.1:6379/0", repr=False, description="Redis that the resolver instances share."
    )
    positive_ttl_seconds: float = Field(
        default=60, gt=0, le=3600, description="How old the knowledge of an active route may be when it is answered."
    )
    negative_ttl_seconds: float = Field(
        default=10, gt=0, le=3600, description="How old the knowledge that there is no active route may be."
    )
    stale_if_error_seconds: float = Field(
        default=3600,
        ge=0,
        le=7 * 24 * 3600,
        description="How long past its life an entry is kept, and answered when no source can tell.",
    )
    l1_entries: int = Field(
        default=200_000, ge=1, le=10_000_000, description="Routes kept in the process; the least used one goes first."
    )
    request_deadline_seconds: float = Field(
        default=2, gt=0, le=60, description="Seconds until the answer to any request begins; 503 after that."
    )
    resolve_deadline_seconds: float = Field(
        default=0.3, gt=0, le=30, description="Time for one resolve request, all look-ups included."
    )
    redis_timeout_seconds: float = Field(default=0.05, gt=0, le=5, description="Time for one call to Redis.")
    database_timeout_seconds: float = Field(default=0.12, gt=0, le=10, description="Time for one query to PostgreSQL.")
    replica_connections: int = Field(default=8, ge=1, le=200, description="Connections to each read replica.")
    primary_connections: int = Field(
        default=4, ge=1, le=100, description="Connections to the primary; also how many queries it gets at once."
    )
    selfcheck_seconds: float = Field(
        default=1,
        ge=0,
        le=3600,
        description="Seconds between two cached routes being compared with the database; 0 turns that off.",
    )
    watch_clients: int = Field(
        default=2500, ge=0, le=100_000, description="Watchers at a time; more are answered with 503."
    )
    watch_clients_per_tenant: int | None = Field(
        default=None,
        ge=0,
        description="Watchers of one tenant at a time, so that others have places left; more are answered with 429. None: nine "
        "tenths of TM_WATCH_CLIENTS.",
    )
    watch_history_changes: int = Field(
        default=20_000,
        ge=1,
        description="Changes kept in the process, over all tenants, for watchers to go on from where they were.",
    )
    watch_progress_seconds: float = Field(
        default=10, gt=0, le=300, description="Seconds between two signs of life on a watch."
    )
    watch_slow_seconds: float = Field(
        default=10, gt=0, le=300, description="How long a watcher may take for what it is sent, before it is closed."
    )
    kafka_start_seconds: float = Field(
        default=3,
        ge=0,
        le=60,
        description="How long a start waits for Kafka, and for what was changed since its snapshot, before it serves without.",
    )
    snapshot_path: Path | None = Field(
        default=None,
        description="File that keeps what is known for the next start, on a disk that outlives the process; none: off.",
    )
    snapshot_interval_seconds: float = Field(
        default=60, gt=0, le=3600, description="Seconds between two snapshots; one more is written on drain."
    )
    warmup_seconds: float = Field(
        default=5, ge=0, le=300, description="How long a start reads routes ahead before it is ready; 0 turns that off."
    )
    warmup_per_second: int = Field(
        default=2000,
        ge=1,
        description="Routes that a start reads ahead in a second, and so what the database gets of it.",
    )
    access_copy: Path | None = Field(
        default=None,
        description="File that keeps the hashes of access keys, for a start while Kafka is away; none keeps no copy.",
    )

    _split_replicas = field_validator("replica_urls", mode="before")(split_commas)

    @property
    def watch_places_of_a_tenant(self) -> int:
        """How many watchers of one tenant there may be; some places are left to others, unless there is only one."""
        told = self.watch_clients_per_tenant
        return max(self.watch_clients * 9 // 10, min(self.watch_clients, 1)) if told is None else told

    @field_validator("watch_clients_per_tenant")
    @classmethod
    def _are_among_all(cls, of_tenant: int | None, others: ValidationInfo) -> int | None:
        # A wrong number of all watchers is reported by itself.
        at_most = others.data.get("watch_clients")
        if of_tenant is not None and at_most is not None and of_tenant > at_most:
            raise ValueError(f"must be no more than TM_WATCH_CLIENTS, which is {at_most}; leave it out for nine tenths")
        return of_tenant

    @field_validator("replica_urls")
    @classmethod
    def _are_postgres_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_postgres_url(url) for url in urls)

    @field_validator("postgres_url")
    @classmethod
    def _is_one_of_two(cls, url: str | None, others: ValidationInfo) -> str | None:
        # A wrong list of replicas is reported by itself.
        if url is None and others.data.get("replica_urls") == ():
            raise ValueError("set this or TM_REPLICA_URLS, or both: the routes are in PostgreSQL")
        return url
