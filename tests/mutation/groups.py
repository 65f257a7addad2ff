"""The modules that carry promises, in groups, each with the unit tests that cover it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Modules to mutate, and the tests to run on each mutant. Paths are relative to the root of the repository."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


_DATA = "tests/unit/data_plane"
_CONTROL = "tests/unit/control_plane"
_AUDIT = "tests/unit/audit_consumer"

GROUPS = {
    "staleness": Group(
        (
            "data_plane/domain/remote_clock.py",
            "data_plane/domain/stream_coverage.py",
            "data_plane/service/cache/staleness.py",
        ),
        (
            f"{_DATA}/test_remote_clock.py",
            f"{_DATA}/test_stream_coverage.py",
            f"{_DATA}/test_entry_bounds.py",
            f"{_DATA}/test_staleness_bounds.py",
            f"{_DATA}/test_read_consistency.py",
            f"{_DATA}/test_snapshot_dating.py",
        ),
    ),
    "caches": Group(
        (
            "data_plane/domain/entry.py",
            "data_plane/domain/watermarks.py",
            "data_plane/service/cache/freshness.py",
            "data_plane/service/cache/l1.py",
            "data_plane/service/cache/l2.py",
        ),
        (
            f"{_DATA}/test_entry.py",
            f"{_DATA}/test_ttl_cap.py",
            f"{_DATA}/test_freshness.py",
            f"{_DATA}/test_event_applier.py",
            f"{_DATA}/test_l1_eviction.py",
            f"{_DATA}/test_resolve.py",
            f"{_DATA}/test_stale_if_error.py",
        ),
    ),
    "applier": Group(
        ("data_plane/service/events/applier.py", "data_plane/worker/event_listener.py"),
        (
            f"{_DATA}/test_event_applier.py",
            f"{_DATA}/test_applied_order.py",
            f"{_DATA}/test_staleness_bounds.py",
            f"{_DATA}/test_worker.py",
        ),
    ),
    "access": Group(
        (
            "shared/runtime/access/authenticator.py",
            "shared/runtime/access/jwt.py",
            "shared/runtime/access/keyring.py",
            "shared/runtime/access/tokens.py",
        ),
        ("tests/unit/access",),
    ),
    "audit": Group(
        (
            "audit_consumer/domain/cursors.py",
            "audit_consumer/domain/queries.py",
            "audit_consumer/service/ingestion.py",
            "audit_consumer/service/queries.py",
        ),
        (
            f"{_AUDIT}/test_cursors.py",
            f"{_AUDIT}/test_ingestion.py",
            f"{_AUDIT}/test_queries.py",
            f"{_AUDIT}/test_http.py",
            f"{_AUDIT}/test_tenant_isolation.py",
        ),
    ),
    "writes": Group(
        (
            "control_plane/domain/plans.py",
            "control_plane/http/common/idempotency.py",
            "control_plane/service/change_sets.py",
        ),
        (
            f"{_CONTROL}/test_changes.py",
            f"{_CONTROL}/test_http_changes.py",
            f"{_CONTROL}/test_http_desired_set.py",
            f"{_CONTROL}/test_http_idempotency.py",
            f"{_CONTROL}/test_http_preconditions.py",
            f"{_CONTROL}/test_http_revert.py",
            f"{_CONTROL}/test_http_routes.py",
        ),
    ),
    "relay": Group(
        ("control_plane/service/relay.py",), (f"{_CONTROL}/test_relay.py", f"{_CONTROL}/test_relay_purge.py")
    ),
    "limits": Group(
        (
            "control_plane/service/write_limits.py",
            "shared/runtime/http/request_limits.py",
            "shared/runtime/resilience.py",
        ),
        (
            f"{_CONTROL}/test_write_limits.py",
            "tests/unit/shared/test_request_limits.py",
            "tests/unit/shared/test_resilience.py",
        ),
    ),
}
"""In the order of what their promises are worth. The SQL and the Redis script are strings, which the tool does not mutate:
the contract tests have a test for each of their promises."""
