"""What the local servers can be told; the only reader of the environment in this package."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deploy.local.errors import LocalServerError
from shared.runtime.settings import KafkaBootstrap, MongoUrl, PostgresUrl, RedisUrl, split_commas

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_STATE = REPOSITORY / ".local"


class LocalSettings(BaseSettings):
    """Read from `TM_…` variables. A server URL that is set means: use that server, start none."""

    model_config = SettingsConfigDict(
        env_prefix="TM_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    postgres_url: PostgresUrl | None = Field(
        default=None, repr=False, description="PostgreSQL primary to use instead of a local one."
    )
    replica_urls: Annotated[tuple[PostgresUrl, ...], NoDecode] = Field(
        default=(), repr=False, description="Its read replicas, comma separated; only together with the primary."
    )
    redis_url: RedisUrl | None = Field(default=None, repr=False, description="Redis to use instead of a local one.")
    kafka_bootstrap: KafkaBootstrap | None = Field(default=None, description="Kafka to use instead of a local one.")
    mongo_url: MongoUrl | None = Field(default=None, repr=False, description="MongoDB to use instead of a local one.")

    local_servers: Literal["auto", "containers", "processes"] = Field(
        default="auto", description="What runs local servers; `auto`: containers where a Docker engine answers."
    )
    local_account: str | None = Field(
        default=None, description="Account that runs PostgreSQL when started by root; else `postgres` or `nobody`."
    )

    image_postgres: str = Field(default="postgres:18", description="Container image of PostgreSQL.")
    image_redis: str = Field(default="valkey/valkey:9.1", description="Container image of Redis.")
    image_kafka: str = Field(default="apache/kafka:4.3.1", description="Container image of Kafka.")
    image_mongo: str = Field(default="mongo:6.0", description="Container image of MongoDB.")

    cache_home: Path = Field(
        default=Path("~/.cache"), validation_alias="XDG_CACHE_HOME", description="Where downloads are kept."
    )
    temporary: Path | None = Field(
        default=None, validation_alias="TMPDIR", description="Where PostgreSQL's data is when started by root."
    )
    docker_host: str | None = Field(
        default=None, validation_alias="DOCKER_HOST", description="Where the Docker engine listens."
    )

    _split_replicas = field_validator("replica_urls", mode="before")(split_commas)

    @property
    def cache(self) -> Path:
        """Where downloads are kept for every checkout of this user."""
        return self.cache_home.expanduser() / "traffic-manager"


def read_settings() -> LocalSettings:
    """The settings of this environment.

    Raises:
        LocalServerError: one has a value that means nothing.
    """
    try:
        return LocalSettings()
    except ValidationError as error:
        wrong = [f"TM_{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors()]
        raise LocalServerError("; ".join(wrong)) from None


def inherited_environment() -> dict[str, str]:
    """The caller's environment, as a started process should see it."""
    return dict(os.environ)  # noqa: TID251 - this is the module that may
