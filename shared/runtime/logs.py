"""Structured logs: one JSON object per line, or coloured lines on a terminal. Records of libraries have the same format."""

import logging
import logging.config
import sys
from typing import Any

import structlog
from prometheus_client import Counter
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.runtime import correlation
from shared.runtime.settings import LogFormat
from shared.runtime.tracing.trace_context import sampled_ids


def _add_correlation_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    current = correlation.current()
    if current is not None:
        event.setdefault("correlation_id", current)
    return event


def _add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Trace and span id, if the trace is sampled: the ids of any other would lead to nothing."""
    ids = sampled_ids()
    if ids is not None:
        event.setdefault("trace_id", ids[0])
        event.setdefault("span_id", ids[1])
    return event


def configure(*, service: str, instance: str, level: str, log_format: LogFormat) -> None:
    """Set up structlog and the standard library's logging for this process."""
    logging.config.dictConfig(logging_config(service=service, instance=instance, level=level, log_format=log_format))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(service, instance), _hand_to_stdlib],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


_hand_to_stdlib = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
# Without local variables, which hold URLs with passwords and other tenants' data.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


_console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


class CountingHandler(logging.Handler):
    """Counts log records by level in `tm_log_records_total`."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def emit(self, record: logging.LogRecord) -> None:
        self._counter.labels(record.levelname.lower()).inc()


def _shared(service: str, instance: str) -> list[Processor]:
    def add_origin(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.update(service=service, instance=instance)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation_id,
        _add_trace,
        add_origin,
    ]


def logging_config(*, service: str, instance: str, level: str, log_format: LogFormat) -> dict[str, Any]:
    """The `logging` dictConfig behind `configure`; the HTTP server uses it for its own records."""
    console = log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and sys.stdout.isatty())
    render: list[Processor] = [_console] if console else [_tracebacks, structlog.processors.JSONRenderer()]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(service, instance),
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
            }
        },
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "formatter": "structured", "stream": "ext://sys.stdout"}
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            # Client libraries log every reconnect attempt; the services report the state of their dependencies themselves.
            "aiokafka": {"level": "ERROR"},
            "pymongo": {"level": "ERROR"},
            "_granian": {"level": "WARNING"},
            # The exporter logs each batch that it loses, and headers that it cannot parse, which hold credentials.
            "opentelemetry": {"level": "CRITICAL"},
            "urllib3": {"level": "WARNING"},
        },
    }
