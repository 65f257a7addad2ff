"""What every service can be told, from `TM_…` environment variables."""

import re
import socket
import sys
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""A tuple written as `a,b,c` in the environment. Pair with a `split_commas` validator."""


def split_commas(value: object) -> object:
    """The parts of `a,b,c`; anything but a string is left to the field's own validation."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""None of them can be verified with a secret, so a public key is never mistaken for one."""

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)[:/]")


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
    access: Literal["on", "off"] = Field(
        default="on", description="`off` lets everyone do everything, under the name in `X-Actor`: for a laptop."
    )
    jwt_issuer: str | None = Field(default=None, description="`iss` of accepted JWTs; required with TM_JWT_JWKS.")
    jwt_audience: str | None = Field(default=None, description="`aud` of accepted JWTs; required with TM_JWT_JWKS.")
    jwt_jwks: str | None = Field(
        default=None, description="File or https URL of the keys that JWTs are verified with; none accepts no JWT."
    )
    jwt_algorithms: CommaSeparated = Field(
        default=("RS256", "ES256", "EdDSA"), description="Signature algorithms of accepted JWTs; asymmetric ones only."
    )
    jwt_subject_claim: str = Field(default="sub", description="Claim that names the caller.")
    jwt_tenant_claim: str = Field(
        default="tenant", description="Claim that names the caller's tenant; none for admins."
    )
    jwt_role_claim: str = Field(default="role", description="Claim with admin, editor, viewer or resolver.")

    _split_algorithms = field_validator("jwt_algorithms", mode="before")(split_commas)

    @field_validator("jwt_algorithms")
    @classmethod
    def _are_asymmetric(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or not set(names) <= ASYMMETRIC_ALGORITHMS:
            raise ValueError(f"must be some of {', '.join(sorted(ASYMMETRIC_ALGORITHMS))}")
        return names

    @field_validator("jwt_jwks")
    @classmethod
    def _is_trusted_source(cls, source: str | None, others: ValidationInfo) -> str | None:
        if source is None:
            return None
        if not (others.data.get("jwt_issuer") and others.data.get("jwt_audience")):
            raise ValueError("needs TM_JWT_ISSUER and TM_JWT_AUDIENCE, or tokens made for others would do")
        if source.startswith("http://") and not _LOOPBACK.match(source):
            raise ValueError("must be a file or an https URL: whoever answers decides who is let in")
        return source


_S = TypeVar("_S", bound=ServiceSettings)


def read_settings(kind: type[_S]) -> _S:
    """The settings in the environment. A wrong one ends the process with 2, after saying what is wrong with each."""
    try:
        return kind()
    except ValidationError as error:
        wrong = [f"  TM_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
        sys.stderr.write("\n".join(["Some settings in the environment are wrong:", *wrong, ""]))
        raise SystemExit(2) from None
