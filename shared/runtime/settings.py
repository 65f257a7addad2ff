"""What every service can be told, from `TM_…` environment variables."""

import socket
import sys
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class LogFormat(StrEnum):
    """How log lines are rendered; `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class ServiceSettings(BaseSettings):
    """The settings that all three services share; each service adds its own.

    Raises pydantic's ValidationError, naming every wrong variable, when built from a bad environment.
    """

    model_config = SettingsConfigDict(env_prefix="TM_", extra="ignore", frozen=True, hide_input_in_errors=True)

    http_host: str = Field(default="127.0.0.1", description="Address the HTTP server listens on.")
    http_port: int = Field(default=8000, ge=1, le=65535, description="Port the HTTP server listens on.")
    workers: int = Field(
        default=1, ge=1, le=64, description="Worker processes that share the port; metrics are merged."
    )
    instance_id: str = Field(
        default_factory=socket.gethostname, description="Name of this instance in logs and health; unique per process."
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe level that is logged."
    )
    log_format: LogFormat = Field(
        default=LogFormat.AUTO, description="`json`, `console`, or `auto`: console on a terminal, JSON elsewhere."
    )
    drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds between reporting not ready and closing the port, so that balancers look elsewhere.",
    )
    shutdown_seconds: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Seconds that requests in flight and workers have to finish before the end.",
    )
    requests_at_once: int = Field(
        default=512, ge=1, description="Requests in flight in one worker; more are answered with 503 at once."
    )
    header_count: int = Field(default=64, ge=8, description="Header fields of one request; more are refused with 431.")
    header_bytes: int = Field(
        default=16 * 1024, ge=1024, description="Bytes of one request's header fields; more are refused with 431."
    )
    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="Kafka bootstrap servers, comma separated.")


_S = TypeVar("_S", bound=ServiceSettings)


def read_settings(kind: type[_S]) -> _S:
    """The settings in the environment. A wrong one ends the process with 2, after saying what is wrong with each."""
    try:
        return kind()
    except ValidationError as error:
        wrong = [f"  TM_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
        sys.stderr.write("\n".join(["Some settings in the environment are wrong:", *wrong, ""]))
        raise SystemExit(2) from None


CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""A tuple written as `a,b,c` in the environment. Pair with a `split_commas` validator."""


def split_commas(value: object) -> object:
    """The parts of `a,b,c`; anything but a string is left to the field's own validation."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
