"""The settings of the local stack. No other module of this package reads the environment."""

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
    """Read from `TM_…` variables. A server URL replaces the local server."""

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
        default=Path("~/.cache"), validation_alias="XDG_CACHE_HOME", description="Directory of downloads."
    )
    temporary: Path | None = Field(
        default=None, validation_alias="TMPDIR", description="Directory of PostgreSQL's data when started by root."
    )
    docker_host: str | None = Field(
        default=None, validation_alias="DOCKER_HOST", description="Address of the Docker engine."
    )

    _split_replicas = field_validator("replica_urls", mode="before")(split_commas)

    @property
    def cache(self) -> Path:
        """The directory of downloads, shared by all checkouts of this user."""
        return self.cache_home.expanduser() / "traffic-manager"


def read_settings() -> LocalSettings:
    """The settings in the environment.

    Raises:
        LocalServerError: a setting has an invalid value.
    """
    try:
        return LocalSettings()
    except ValidationError as error:
        wrong = [
            f"TM_{str(part['loc'][0]).upper()}: {part['msg'].removeprefix('Value error, ')}" for part in error.errors()
        ]
        raise LocalServerError("; ".join(wrong)) from None


def inherited_environment() -> dict[str, str]:
    """The environment for started processes: that of this process."""
    return dict(os.environ)  # noqa: TID251 - this module reads the environment
