"""A gauge of a server with several worker processes: their sum, or the value of the worker that is worst off."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.runtime.metric_catalogue import CATALOGUE
from shared.runtime.service import Service

SUM, HIGHEST, LOWEST = 9.0, 7.0, 2.0
"""Of the values 7 and 2."""

MERGED: Mapping[str, float] = {
    "tm_access_keys": HIGHEST,
    "tm_access_watermark_age_seconds": HIGHEST,
    "tm_breaker_state": HIGHEST,
    "tm_build_info": HIGHEST,
    "tm_cache_bytes": SUM,
    "tm_cache_entries": SUM,
    "tm_consumer_lag_records": HIGHEST,
    "tm_consumer_lag_seconds": HIGHEST,
    "tm_consumer_stalled_seconds": HIGHEST,
    "tm_dependency_up": LOWEST,
    "tm_dlq_depth": HIGHEST,
    "tm_draining": HIGHEST,
    "tm_http_connections_open": HIGHEST,  # Each worker counts all connections of the port.
    "tm_http_requests_in_flight": SUM,
    "tm_outbox_oldest_unsent_seconds": HIGHEST,
    "tm_outbox_quarantined_records": HIGHEST,
    "tm_outbox_relay_leader": SUM,
    "tm_outbox_unsent": HIGHEST,
    "tm_pool_connections": SUM,
    "tm_ready": LOWEST,
    "tm_replica_lag_seconds": HIGHEST,
    "tm_replica_usable": LOWEST,
    "tm_resolver_processes": HIGHEST,
    "tm_routes": HIGHEST,
    "tm_schema_current": LOWEST,
    "tm_snapshot_age_seconds": LOWEST,  # Any worker may have written the one snapshot of the server.
    "tm_snapshot_bytes": HIGHEST,
    "tm_staleness_bound_seconds": HIGHEST,
    "tm_suspect_tenants": HIGHEST,
    "tm_tenants": HIGHEST,
    "tm_warm_start_source_info": HIGHEST,
    "tm_watch_clients": SUM,
    "tm_change_log_bytes": SUM,
    "tm_watch_snapshot_bytes": SUM,
}


def _merged(folder: Path, service: Service) -> dict[str, float]:
    """The value of every gauge that two workers have set to 7 and 2, by name."""
    command = [sys.executable, "-m", "tests.support.worker_metrics", str(folder), service.value, "7", "2"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603 - fixed arguments
    series = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    found: dict[str, float] = {}
    for name, value in series:
        if "{" not in name or '="x"' in name:
            found[name.split("{")[0]] = float(value)
    return found


def test_every_gauge_has_an_expected_merge() -> None:
    assert {each.name for each in CATALOGUE if each.kind == "gauge"} == set(MERGED)


@pytest.mark.parametrize("service", Service)
def test_gauges_of_two_workers_are_merged(tmp_path: Path, service: Service) -> None:
    names = {each.name for each in CATALOGUE if each.kind == "gauge" and service in each.services}
    merged = _merged(tmp_path, service)
    assert {name: merged.get(name) for name in names} == {name: MERGED[name] for name in names}
