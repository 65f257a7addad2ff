"""What the local servers can be told; the only reader of the environment in this package."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_STATE = REPOSITORY / ".local"


class LocalSettings(BaseSettings):
    """Read from `TM_…` variables. A server URL that is set means: use that server, start none."""

    model_config = SettingsConfigDict(env_prefix="TM_", env_ignore_empty=True, frozen=True, extra="ignore")

    postgres_url: str | None = None
    replica_urls: Annotated[tuple[str, ...], NoDecode] = ()
    redis_url: str | None = None
    kafka_bootstrap: str | None = None
    mongo_url: str | None = None

    local_servers: Literal["auto", "containers", "processes"] = "auto"
    local_account: str | None = Field(default=None, description="runs PostgreSQL when started as root")

    image_postgres: str = "postgres:18"
    image_redis: str = "valkey/valkey:9.1"
    image_kafka: str = "apache/kafka:4.3.1"
    image_mongo: str = "mongo:6.0"

    cache_home: Path = Field(default=Path("~/.cache"), validation_alias="XDG_CACHE_HOME")
    temporary: Path | None = Field(default=None, validation_alias="TMPDIR")
    docker_host: str | None = Field(default=None, validation_alias="DOCKER_HOST")

    @field_validator("replica_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def cache(self) -> Path:
        """Where downloads are kept for every checkout of this user."""
        return self.cache_home.expanduser() / "traffic-manager"


def inherited_environment() -> dict[str, str]:
    """The caller's environment, as a started process should see it."""
    return dict(os.environ)  # noqa: TID251 - this is the module that may
