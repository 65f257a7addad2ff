"""The settings of the control plane."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.runtime.settings import CommaSeparated, PostgresUrl, ServiceSettings, split_commas

_Schemes = Annotated[CommaSeparated, BeforeValidator(split_commas)]


class ControlPlaneSettings(ServiceSettings):
    """The control plane's settings, on top of those that all services share."""

    postgres_url: PostgresUrl = Field(
        default="postgresql://traffic_manager@127.0.0.1:5432/traffic_manager",
        repr=False,
        description="Connection URL of the PostgreSQL primary.",
    )
    postgres_pool_size: int = Field(
        default=10,
        ge=2,
        le=200,
        description="Maximum connections of a process to the primary, without the relay's. Half of them serve reads.",
    )
    tenant_writes_per_second: float = Field(
        default=100,
        ge=0,
        description="Sustained rate of writes to one tenant, per worker process; 429 above it. 0: no limit.",
    )
    tenant_write_burst: int = Field(
        default=1000, ge=1, description="Burst of writes to one tenant above the sustained rate, per worker process."
    )
    tenant_max_concurrent_writes: int = Field(
        default=64, ge=1, description="Writes to one tenant in flight in a worker process; 429 above it."
    )
    credential_writes_per_second: float = Field(
        default=200,
        ge=0,
        description="Sustained rate of writes with one credential, over all tenants, per worker process; 429 above it. 0: no limit.",
    )
    credential_write_burst: int = Field(
        default=2000,
        ge=1,
        description="Burst of writes with one credential above the sustained rate, per worker process.",
    )
    tenant_route_quota: int = Field(
        default=100_000,
        ge=1,
        description="Maximum number of routes of a tenant, active and inactive; 409 above it.",
    )
    tenant_recorded_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1,
        description="Maximum bytes of the responses recorded for one tenant's idempotency keys in 24 hours; 429 above it.",
    )
    max_desired_routes: int = Field(
        default=20_000,
        ge=1,
        le=100_000,
        description="Maximum number of routes in one desired set; 413 above it. A body has at most 4 MiB in any case.",
    )
    propagation_wait_seconds: float = Field(
        default=30.0,
        ge=0,
        le=300,
        description="Maximum seconds that a propagation request waits for a change set to be live; a longer `wait` is cut to it.",
    )
    max_concurrent_propagation_waits: int = Field(
        default=200,
        ge=1,
        description="Propagation requests waiting in one worker process; 503 above it. One tenant has at most nine times as many "
        "as are free; 429 above that.",
    )
    relay_poll_seconds: float = Field(
        default=0.5, gt=0, le=5, description="Seconds between the relay's polls of the outbox when no write wakes it."
    )
    heartbeat_seconds: float = Field(
        default=2.0, gt=0, le=5, description="Seconds between heartbeats on every partition of route-events."
    )
    quarantine_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        description="Bytes of the records in quarantine. Above it a record is kept without its value: it cannot be retried, and "
        "the history still has its changes.",
    )
    relay_stop_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Seconds that the relay has to finish its current batch when the service stops.",
    )
    rotation_grace_hours: float = Field(
        default=24.0,
        ge=0,
        le=30 * 24,
        description="Hours for which the secret before a rotation of an access key stays valid, when the request has no "
        "`grace_seconds`.",
    )
    outbox_retention_hours: float = Field(
        default=24.0, gt=0, description="Hours that published rows stay in the outbox, with their Kafka offsets."
    )
    history_retention_days: float = Field(
        default=90.0,
        gt=0,
        description="Days that change sets stay in the history for reads, diffs and reverts. The audit trail keeps them longer.",
    )
    url_schemes: _Schemes = Field(
        default=("http", "https"), description="Allowed schemes of route URLs, comma separated."
    )
    url_link_local_allowed: bool = Field(
        default=False, description="Accept route URLs with link-local and cloud metadata addresses."
    )
