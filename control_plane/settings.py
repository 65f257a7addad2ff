"""What the control plane can be told, from `TM_…` environment variables."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.runtime.settings import CommaSeparated, ServiceSettings, split_commas

_Schemes = Annotated[CommaSeparated, BeforeValidator(split_commas)]


class ControlPlaneSettings(ServiceSettings):
    """The control plane's settings, on top of those that all services share."""

    postgres_url: str = Field(
        default="postgresql://traffic_manager@127.0.0.1:5432/traffic_manager",
        repr=False,
        description="PostgreSQL primary, as a connection URL.",
    )
    postgres_pool_size: int = Field(
        default=10,
        ge=2,
        le=200,
        description="Connections to the primary that a process holds at most, the relay's not counted.",
    )
    write_deadline_seconds: float = Field(
        default=2.0, gt=0, le=60, description="Seconds a request to the control plane may take in all."
    )
    tenant_writes_per_second: float = Field(
        default=100,
        ge=0,
        description="Writes to one tenant that a worker accepts each second, in the long run; 0: any.",
    )
    tenant_write_burst: int = Field(
        default=1000, ge=1, description="Writes to one tenant that a worker accepts at once after a quiet time."
    )
    tenant_writes_at_once: int = Field(
        default=64, ge=1, description="Writes to one tenant in flight in a worker; more are refused with 429."
    )
    credential_writes_per_second: float = Field(
        default=200,
        ge=0,
        description="The same for the writes of one credential, whichever tenants they are to; 0: any.",
    )
    credential_write_burst: int = Field(
        default=2000, ge=1, description="Writes of one credential that a worker accepts at once after a quiet time."
    )
    tenant_routes: int = Field(
        default=100_000,
        ge=1,
        description="Routes a tenant may have, active and inactive; more are refused with 409.",
    )
    propagation_wait_seconds: float = Field(
        default=30.0,
        ge=0,
        le=300,
        description="Seconds that a caller can wait for a change set to be live everywhere; who asks for more gets this.",
    )
    propagation_waits_at_once: int = Field(
        default=200, ge=1, description="Such callers waiting in one worker; more are refused with 503."
    )
    relay_poll_seconds: float = Field(
        default=0.5, gt=0, le=5, description="Seconds between the relay's looks at the outbox when nothing wakes it."
    )
    heartbeat_seconds: float = Field(
        default=2.0, gt=0, le=5, description="Seconds between heartbeats on every partition of route-events."
    )
    relay_stop_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Seconds the relay has, when the service stops, to finish what it has begun.",
    )
    sent_outbox_retention_hours: float = Field(
        default=24.0, gt=0, description="Hours that published rows stay in the outbox, with the offset each one got."
    )
    history_retention_days: float = Field(
        default=90.0,
        gt=0,
        description="Days that change sets can be looked at, compared and undone. The audit trail keeps them longer.",
    )
    url_schemes: _Schemes = Field(
        default=("http", "https"), description="Schemes a route's URL may have, comma separated."
    )
    url_link_local_allowed: bool = Field(
        default=False, description="Accept route URLs with link-local and cloud metadata addresses."
    )
