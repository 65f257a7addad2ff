"""The variables of OpenTelemetry: defaults of the services, and mistakes that are reported and survived."""

import pytest

from shared.runtime.tracing.otel_settings import OtelSettings, read_otel_settings
from shared.runtime.tracing.sampling import root_ratio

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def test_nothing_is_exported_without_an_endpoint() -> None:
    assert read_otel_settings({}) == OtelSettings()
    assert not read_otel_settings({"OTEL_TRACES_EXPORTER": "otlp"}).exports


def test_one_percent_of_the_traces_that_begin_here_are_sampled_by_default() -> None:
    found = read_otel_settings(ENDPOINT)
    assert (found.endpoint, found.sampler, found.ratio) == (
        "http://collector:4318/v1/traces",
        "parentbased_traceidratio",
        0.01,
    )
    assert (found.timeout_seconds, found.schedule_delay_seconds, found.max_queue_spans) == (5, 1, 2048)
    assert root_ratio(found) == 0.01


def test_endpoint_of_traces_precedes_that_of_all_signals_and_is_used_as_it_is() -> None:
    own = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/otlp"}
    assert read_otel_settings(ENDPOINT | own).endpoint == "https://collector/otlp"


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
    ],
)
def test_export_can_be_turned_off(variables: dict[str, str]) -> None:
    found = read_otel_settings(ENDPOINT | variables)
    assert (found.exports, found.mistakes, root_ratio(found)) == (False, (), 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan"),
        ("OTEL_TRACES_SAMPLER_ARG", "one percent"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1e9"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "inf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ],
)
def test_wrong_value_is_reported_and_the_default_used(name: str, value: str) -> None:
    found = read_otel_settings(ENDPOINT | {name: value})
    (mistake,) = found.mistakes
    assert mistake.startswith(name)
    assert found == OtelSettings(endpoint=found.endpoint, mistakes=found.mistakes)


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "user:secret@collector:4317"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://user:secret@collector"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@collector:port"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "console"},
    ],
)
def test_without_a_usable_exporter_nothing_is_exported_and_no_secret_is_reported(variables: dict[str, str]) -> None:
    found = read_otel_settings(variables)
    assert not found.exports
    assert len(found.mistakes) == 1
    assert "secret" not in str(found.mistakes)


def test_durations_are_milliseconds_as_the_specification_says() -> None:
    variables = {"OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    found = read_otel_settings(ENDPOINT | variables)
    assert (found.timeout_seconds, found.schedule_delay_seconds) == (2.5, 0.2)


def test_batch_is_at_most_as_large_as_the_queue() -> None:
    assert read_otel_settings(ENDPOINT | {"OTEL_BSP_MAX_QUEUE_SIZE": "100"}).max_batch_spans == 100


@pytest.mark.parametrize(
    ("sampler", "ratio"),
    [("always_on", 1), ("parentbased_always_on", 1), ("parentbased_always_off", 0), ("traceidratio", 0.25)],
)
def test_ratio_of_new_traces_is_the_sampler_s(sampler: str, ratio: float) -> None:
    variables = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0.25"}
    assert root_ratio(read_otel_settings(ENDPOINT | variables)) == ratio
