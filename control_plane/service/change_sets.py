"""Changes to a tenant's routes, one at a time or many as one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from control_plane.domain.plans import Plan
from control_plane.domain.requests import ChangeRequest, RecordedResponse
from control_plane.errors import (
    HistoryPurged,
    KeyReused,
    NoSuchRevision,
    NoSuchRoute,
    NoSuchTenant,
    PlanRefused,
    PreconditionFailed,
    RouteQuotaReached,
    TooManyChanges,
)
from control_plane.ports import ChangeSets
from shared.runtime import tracing
from shared.runtime.metrics import Metrics
from shared.schemas.events import CORRELATION_ID_HEADER, TRACEPARENT_HEADER
from shared.schemas.validation import InvalidInput

_log = structlog.get_logger(__name__)
_REJECTIONS = (
    NoSuchTenant,
    NoSuchRoute,
    NoSuchRevision,
    HistoryPurged,
    RouteQuotaReached,
    TooManyChanges,
    InvalidInput,
)
_CONFLICTS = (PlanRefused, PreconditionFailed, KeyReused)


class ChangeSetService:
    """Plans and applies, each within the deadline: TimeoutError after it. Raises what the ChangeSets port does."""

    def __init__(
        self, change_sets: ChangeSets, *, on_commit: Callable[[], None], deadline_seconds: float, metrics: Metrics
    ) -> None:
        """`on_commit` is called after every committed change set."""
        self._change_sets = change_sets
        self._on_commit = on_commit
        self._deadline = deadline_seconds
        self._changes = metrics.counter("tm_changes_total")
        self._sizes = metrics.histogram("tm_change_set_changes")

    async def carry_out(self, request: ChangeRequest) -> Plan | RecordedResponse:
        """Apply the request, or only plan it when it is a dry run. An Answer is what it has got when it came before."""
        if request.terms.dry_run:
            async with asyncio.timeout(self._deadline):
                return await self._change_sets.plan(request)
        with self._counting_refusals():
            async with asyncio.timeout(self._deadline):
                done = await self._change_sets.apply(request, _event_headers(request))
        if isinstance(done, Plan):
            self._count(done)
            if done.committed:
                self._on_commit()
                _log_commit(done, request)
        return done

    def _count(self, plan: Plan) -> None:
        for what, number in plan.counts().items():
            if number:
                labels = ("none", "unchanged") if what == "unchanged" else (what, "committed")
                self._changes.labels(*labels).inc(number)
        if plan.committed:
            self._sizes.observe(len(plan.changes))

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        """A refused change set counts once: how many changes it would have come to is not always known."""
        try:
            yield
        except _REJECTIONS:
            self._changes.labels("none", "rejected").inc()
            raise
        except _CONFLICTS:
            self._changes.labels("none", "conflict").inc()
            raise
        except Exception:
            self._changes.labels("none", "failed").inc()
            raise


def _log_commit(plan: Plan, request: ChangeRequest) -> None:
    _log.info(
        "changes committed",
        tenant=plan.tenant,
        revision=plan.revision,
        changes=len(plan.changes),
        changed_by=request.attribution.changed_by,
    )


def _event_headers(request: ChangeRequest) -> dict[str, str]:
    headers = {CORRELATION_ID_HEADER: request.attribution.correlation_id}
    traceparent = tracing.traceparent()
    return {**headers, TRACEPARENT_HEADER: traceparent} if traceparent else headers
