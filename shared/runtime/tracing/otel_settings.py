"""The standard `OTEL_…` variables that the services read, with the services' own defaults.

A wrong value is logged and replaced by the default: a mistake in tracing must not keep a service from starting.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

_T = TypeVar("_T")

_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


@dataclass(frozen=True, slots=True)
class OtelSettings:
    """How spans are sampled and exported. The exporter itself reads headers, certificates and compression."""

    endpoint: str | None = None
    """URL that spans are posted to; None: no export."""
    sampler: str = "parentbased_traceidratio"
    ratio: float = 0.01
    """Share of the traces that begin here and are sampled, for samplers with a ratio."""
    timeout_seconds: float = 5.0
    """For one batch, retries included."""
    schedule_delay_seconds: float = 1.0
    """Longest time that a span waits for its batch to fill; the SDK's own default, 5 s, would keep people waiting."""
    max_queue_spans: int = 2048
    max_batch_spans: int = 512
    mistakes: tuple[str, ...] = ()
    """What was wrong in the environment, and what is done instead; to be logged."""

    @property
    def exports(self) -> bool:
        """Whether spans are recorded at all."""
        return self.endpoint is not None and self.sampler != "always_off"


def read_otel_settings(environment: Mapping[str, str] | None = None) -> OtelSettings:
    """The settings in these variables (None: in the process's environment)."""
    read = _Reader(os.environ if environment is None else environment)  # noqa: TID251 - this is the reader
    defaults = OtelSettings()
    max_queue = read.number("OTEL_BSP_MAX_QUEUE_SIZE", defaults.max_queue_spans, 1, 100_000)
    max_batch = read.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", defaults.max_batch_spans, 1, 100_000)
    return OtelSettings(
        endpoint=_endpoint(read),
        sampler=read.value("OTEL_TRACES_SAMPLER", _one_of(_SAMPLERS), defaults.sampler),
        ratio=read.number("OTEL_TRACES_SAMPLER_ARG", defaults.ratio, 0, 1),
        timeout_seconds=_timeout_seconds(read, defaults.timeout_seconds),
        schedule_delay_seconds=read.milliseconds("OTEL_BSP_SCHEDULE_DELAY", defaults.schedule_delay_seconds),
        max_queue_spans=int(max_queue),
        max_batch_spans=int(min(max_batch, max_queue)),
        mistakes=tuple(read.mistakes),
    )


@dataclass
class _Reader:
    variables: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)

    def value(self, name: str, parse: Callable[[str], _T], default: _T) -> _T:
        text = self.variables.get(name, "").strip()
        if not text:  # OpenTelemetry: an empty value is an absent one
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.mistakes.append(f"{name}: {error}; {default} is used")
            return default

    def number(self, name: str, default: float, least: float, most: float) -> float:
        def parse(text: str) -> float:
            found = float(text)
            if not (math.isfinite(found) and least <= found <= most):
                raise ValueError(f"must be a number from {least:g} to {most:g}")
            return found

        return self.value(name, parse, default)

    def milliseconds(self, name: str, default_seconds: float) -> float:
        return self.number(name, 1000 * default_seconds, 1, 600_000) / 1000


def _endpoint(read: _Reader) -> str | None:
    if read.value("OTEL_SDK_DISABLED", lambda text: text.lower() == "true", False):
        return None
    exporter = read.value("OTEL_TRACES_EXPORTER", str, "otlp")
    base = read.value("OTEL_EXPORTER_OTLP_ENDPOINT", _http_url, None)
    endpoint = read.value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", _http_url, base and f"{base.rstrip('/')}/v1/traces")
    if exporter == "none" or endpoint is None:
        return None
    if exporter != "otlp":
        read.mistakes.append("OTEL_TRACES_EXPORTER: must be otlp or none; no span is exported")
        return None
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        read.value(name, _one_of(["http/protobuf"]), "http/protobuf")
    return endpoint


def _timeout_seconds(read: _Reader, default: float) -> float:
    every_signal = read.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", default)
    return read.milliseconds("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", every_signal)


def _one_of(accepted: tuple[str, ...] | list[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in accepted:
            raise ValueError(f"must be one of {', '.join(accepted)}")
        return text.lower()

    return parse


def _http_url(text: str) -> str:
    # The text is in no message: it may hold a password.
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("must be a URL such as http://collector:4318")
    return text
