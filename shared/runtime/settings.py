"""The settings that all three services share, read from `TM_…` environment variables."""

import ipaddress
import os
import re
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from shared.runtime.checked_settings import CheckedSettings
from shared.runtime.redaction import redact_output
from shared.runtime.renamed_settings import renamed_settings
from shared.runtime.server_urls import kafka_bootstrap, server_url
from shared.runtime.version import PublicVersion

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""A tuple written as `a,b,c` in the environment. Pair with a `split_commas` validator."""


def split_commas(value: object) -> object:
    """The parts of `a,b,c`; anything but a string is left to the field's own validation."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


PostgresUrl = Annotated[str, AfterValidator(server_url("postgresql", "postgres"))]
RedisUrl = Annotated[str, AfterValidator(server_url("redis", "rediss", "unix"))]
MongoUrl = Annotated[str, AfterValidator(server_url("mongodb", "mongodb+srv"))]
KafkaBootstrap = Annotated[str, AfterValidator(kafka_bootstrap)]

ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Symmetric algorithms (HS256, …) are left out: with them a public key could be used as a secret to sign a token."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class LogFormat(StrEnum):
    """How log lines are rendered; `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class ServiceSettings(CheckedSettings):
    """The settings that all three services share; each service adds its own.

    Raises pydantic's ValidationError, which names every wrong variable.
    """

    http_host: str = Field(default="127.0.0.1", description="Address the HTTP server listens on.")
    http_port: int = Field(default=8000, ge=1, le=65535, description="Port the HTTP server listens on.")
    workers: int = Field(
        default=1, ge=1, le=64, description="Worker processes that share the port. `/metrics` merges their values."
    )
    metrics_dir: Path | None = Field(
        default=None,
        description="Folder for the metric files of several workers, emptied at start; none uses a temporary one.",
    )
    http_idle_seconds: float = Field(
        default=75.0,
        ge=1,
        le=3600,
        description="Seconds that a connection may be idle, or take to send the head of a request, before it is closed; "
        "longer than the idle time of the load balancers in front (most: 60).",
    )
    max_connections: int | None = Field(
        default=None,
        ge=1,
        description="Open connections of one worker, idle ones included; further ones wait. None: as many as the "
        "process may open files, less 512.",
    )
    instance_id: str = Field(
        default_factory=socket.gethostname,
        max_length=200,
        description="Name of this instance in logs, health and status reports. Unique per process.",
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Lowest level that is logged."
    )
    log_format: LogFormat = Field(
        default=LogFormat.AUTO, description="`json`, `console`, or `auto`: console on a terminal, JSON elsewhere."
    )
    drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds between reporting not ready and closing the port, for load balancers to stop sending requests.",
    )
    shutdown_seconds: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Seconds that requests in flight and background workers have to finish before the process exits.",
    )
    max_concurrent_requests: int = Field(
        default=512, ge=1, description="Requests in flight in one worker process; further requests get 503 at once."
    )
    tenant_reads_per_second: float = Field(
        default=1000,
        ge=0,
        description="Sustained rate of reads by one tenant, or with one admin's credential, per worker process; 429 above it. "
        "Resolves of single routes are not counted. 0: no limit.",
    )
    tenant_read_burst: int = Field(
        default=5000, ge=1, description="Burst of reads above the sustained rate, per worker process."
    )
    tenant_read_bytes_per_second: float = Field(
        default=50 * 1024 * 1024,
        ge=0,
        description="Sustained rate of the bytes in the responses to these reads, per worker process; 429 above it. 0: no limit.",
    )
    tenant_read_burst_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=1,
        description="Burst of these bytes above the sustained rate, per worker process.",
    )
    request_deadline_seconds: float = Field(
        default=2, gt=0, le=60, description="Seconds from the request until its response begins; after that, 503."
    )
    max_header_fields: int = Field(
        default=64, ge=8, description="Maximum number of header fields in a request; 431 above it."
    )
    max_header_bytes: int = Field(
        default=16 * 1024, ge=1024, description="Maximum size of a request's header fields, in bytes; 431 above it."
    )
    kafka_bootstrap: KafkaBootstrap = Field(
        default="127.0.0.1:9092", description="Kafka bootstrap servers, comma separated."
    )
    public_version: PublicVersion = Field(
        default=PublicVersion.OFF,
        description="Where callers without a credential can read the release: `off` nowhere, `metrics` in `tm_build_info`, "
        "`on` also in the `Server` header and at `/schema`.",
    )
    revision: str = Field(
        default="unknown",
        max_length=64,
        description="Commit of the release, for `tm_build_info`. The image sets it.",
    )
    access: Literal["on", "off"] = Field(
        default="on", description="`off` allows every request, under the name in `X-Actor`. For development only."
    )
    access_off_for_all: bool = Field(
        default=False,
        validate_default=True,
        description="`true` lets TM_ACCESS=off listen on other addresses than loopback: everybody who reaches the port may "
        "then do everything.",
    )
    key_snapshot_max_age_hours: float = Field(
        default=168.0, gt=0, description="Greatest age, in hours, at which a service starts from its key snapshot."
    )
    key_snapshot_privileged_max_age_hours: float = Field(
        default=24.0, gt=0, description="The same for the keys of admins and editors, which can change something."
    )
    jwt_issuer: str | None = Field(default=None, description="Required `iss` of JWTs. Mandatory with TM_JWT_JWKS.")
    jwt_audience: str | None = Field(default=None, description="Required `aud` of JWTs. Mandatory with TM_JWT_JWKS.")
    jwt_jwks: str | None = Field(
        default=None,
        repr=False,
        description="File or https URL of the JWK set that verifies JWTs. Unset: no JWT is accepted.",
    )
    jwt_algorithms: CommaSeparated = Field(
        default=("RS256", "ES256", "EdDSA"), description="Accepted signature algorithms of JWTs; asymmetric ones only."
    )
    jwt_subject_claim: str = Field(default="sub", description="Claim that names the caller.")
    jwt_tenant_claim: str = Field(
        default="tenant", description="Claim that names the caller's tenant; absent for admins."
    )
    jwt_role_claim: str = Field(
        default="role", description="Claim that names the caller's role: admin, editor, viewer or resolver."
    )

    @field_validator("http_host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError("must be an IP address, such as 127.0.0.1, 0.0.0.0 or ::, or localhost") from None

    @field_validator("access_off_for_all")
    @classmethod
    def _is_meant(cls, for_all: bool, others: ValidationInfo) -> bool:
        host = str(others.data.get("http_host", "127.0.0.1"))
        if others.data.get("access") == "off" and not for_all and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(
                f"TM_ACCESS=off with TM_HTTP_HOST={host} would let everybody who reaches the port do everything: "
                "listen on 127.0.0.1, set TM_ACCESS=on, or set this to true if that is meant"
            )
        return for_all

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
            raise ValueError(
                "needs TM_JWT_ISSUER and TM_JWT_AUDIENCE: without them, tokens issued for other applications would be accepted"
            )
        if _SCHEME.match(source) and not source.startswith(("http://", "https://")):
            raise ValueError("must be a file or an https URL")
        if source.startswith("http://") and not _is_loopback(source):
            raise ValueError(
                "must be a file or an https URL: over plain http, an attacker on the network could supply the keys"
            )
        return source


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.username is None and parts.hostname in ("127.0.0.1", "::1", "localhost")


_S = TypeVar("_S", bound=ServiceSettings)


def read_settings(kind: type[_S]) -> _S:
    """The settings in the environment. On a wrong one, writes every error to stderr and exits with status 2.

    Masks passwords in all later output of the process, because it holds them from here on.
    """
    redact_output()
    renamed = [f"  {old}: renamed; set {new} instead" for old, new in renamed_settings(os.environ)]  # noqa: TID251 - this is the reader
    try:
        settings = kind()
    except ValidationError as error:
        wrong = [
            f"  TM_{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
        ]
    else:
        if not renamed:
            return settings
        wrong = []
    sys.stderr.write("\n".join(["Some settings in the environment are wrong:", *renamed, *wrong, ""]))
    raise SystemExit(2)
