"""Which spans are recorded and exported."""

from collections.abc import Sequence

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling as sdk
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from shared.runtime.tracing.otel_settings import OtelSettings

_CHOSEN = context.create_key("chosen")


def chosen() -> Context:
    """A context in which the next span begins a new trace that is sampled, whatever the ratio."""
    return context.set_value(_CHOSEN, True, Context())


class Sampler(sdk.Sampler):
    """Samples what the service has chosen (`chosen`), and everything else as the settings say."""

    def __init__(self, settings: OtelSettings) -> None:
        self._configured = _configured(settings.sampler, settings.ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> sdk.SamplingResult:
        if parent_context is not None and context.get_value(_CHOSEN, parent_context):
            return sdk.SamplingResult(sdk.Decision.RECORD_AND_SAMPLE, attributes)
        return self._configured.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        return self._configured.get_description()


def root_ratio(settings: OtelSettings) -> float:
    """The share of traces that begin in this process and are sampled."""
    if not settings.exports or settings.sampler.endswith("always_off"):
        return 0.0
    return 1.0 if settings.sampler.endswith("always_on") else settings.ratio


def _configured(name: str, ratio: float) -> sdk.Sampler:
    roots: dict[str, sdk.Sampler] = {
        "always_on": sdk.ALWAYS_ON,
        "always_off": sdk.ALWAYS_OFF,
        "traceidratio": sdk.TraceIdRatioBased(ratio),
    }
    root = roots[name.removeprefix("parentbased_")]
    return sdk.ParentBased(root) if name.startswith("parentbased_") else root
