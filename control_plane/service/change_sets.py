"""Changes to a tenant's routes, one at a time or many as one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from control_plane.domain.intents import DesiredSet
from control_plane.domain.plans import Plan, TenantState, make_plan
from control_plane.domain.requests import ChangeRequest, RecordedResponse
from control_plane.errors import (
    EventTooLarge,
    HistoryPurged,
    KeyReused,
    NoSuchRevision,
    NoSuchRoute,
    NoSuchTenant,
    PlanRefused,
    PreconditionFailed,
    RouteQuotaReached,
    SchemaChanged,
    TooManyChanges,
)
from control_plane.ports.change_sets import ChangeSets, ChangeSetTransaction
from control_plane.service.change_events import encode_event, event_headers
from shared.runtime.deadlines import time_limit
from shared.runtime.metrics import Metrics
from shared.runtime.off_loop import MANY_ROUTES, off_loop
from shared.runtime.retries import retried_once
from shared.runtime.tracing.messaging import creating
from shared.schemas.topics import ROUTE_EVENTS
from shared.schemas.validation import InvalidInput

_log = structlog.get_logger(__name__)
_REJECTIONS = (
    NoSuchTenant,
    NoSuchRoute,
    NoSuchRevision,
    HistoryPurged,
    RouteQuotaReached,
    TooManyChanges,
    EventTooLarge,
    InvalidInput,
)
_CONFLICTS = (PlanRefused, PreconditionFailed, KeyReused)


class ChangeSetService:
    """Plans change sets, and applies each in one transaction.

    Every call raises what `make_plan` and the ChangeSets port raise, EventTooLarge, and TimeoutError after the deadline.
    """

    def __init__(
        self,
        change_sets: ChangeSets,
        *,
        route_quota: int,
        on_commit: Callable[[], None],
        deadline_seconds: float,
        metrics: Metrics,
    ) -> None:
        """`route_quota`: routes that a tenant may have. `on_commit` is called after every committed change set."""
        self._change_sets = change_sets
        self._route_quota = route_quota
        self._on_commit = on_commit
        self._deadline_seconds = deadline_seconds
        self._changes = metrics.counter("tm_changes_total")
        self._sizes = metrics.histogram("tm_change_set_changes")

    async def carry_out(self, request: ChangeRequest) -> Plan | RecordedResponse:
        """Apply the request, or only plan it when it is a dry run.

        Returns the recorded response when the same request was carried out before under its idempotency key.
        """
        if request.dry_run:
            async with time_limit(self._deadline_seconds):
                return await self._preview(request)
        with self._counting_refusals():
            async with time_limit(self._deadline_seconds):
                done = await self._apply(request)
        if isinstance(done, Plan):
            self._count(done)
            if done.committed:
                self._on_commit()
                _log_commit(done, request)
        return done

    @retried_once(SchemaChanged)
    async def _preview(self, request: ChangeRequest) -> Plan:
        async with self._change_sets.snapshot(request.intent.tenant) as tenant:
            state = await tenant.read_state(request.intent)
            plan = await self._plan(request, state)
            if plan.changes:
                encode_event(plan.as_committed(), request.attribution, state.now)  # refuses what `_apply` would
            return plan

    @retried_once(SchemaChanged)
    async def _apply(self, request: ChangeRequest) -> Plan | RecordedResponse:
        key = request.idempotency_key
        async with self._change_sets.transaction(request.intent.tenant) as transaction:
            await transaction.lock_tenant()
            if key is not None and (recorded := await transaction.recorded_response(key)) is not None:
                return recorded
            state = await transaction.read_state(request.intent)
            plan = (await self._plan(request, state)).as_committed()
            await _write(transaction, plan, request, state)
        return plan

    async def _plan(self, request: ChangeRequest, state: TenantState) -> Plan:
        intent = request.intent
        plan = partial(make_plan, intent, request.preconditions, state, self._route_quota)
        wanted = len(intent.routes) if isinstance(intent, DesiredSet) else 0
        return plan() if len(state.routes) + wanted <= MANY_ROUTES else await off_loop(intent.tenant, plan)

    def _count(self, plan: Plan) -> None:
        for action, number in plan.counts().items():
            if number:
                labels = ("none", "unchanged") if action == "unchanged" else (action, "committed")
                self._changes.labels(*labels).inc(number)
        if plan.committed:
            self._sizes.observe(len(plan.changes))

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        """A refused change set counts as one change, because its number of changes is not always known."""
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


async def _write(transaction: ChangeSetTransaction, plan: Plan, request: ChangeRequest, state: TenantState) -> None:
    """Store a plan that changes something, and the response of a request with an idempotency key."""
    if plan.committed:
        with creating(ROUTE_EVENTS.name):
            event, payload = encode_event(plan, request.attribution, state.now)
            await transaction.write_change_set(event, payload, event_headers(request.attribution))
    key = request.idempotency_key
    if key is not None:
        await transaction.record_response(key, key.make_response(plan), state.now)


def _log_commit(plan: Plan, request: ChangeRequest) -> None:
    _log.info(
        "changes committed",
        tenant=plan.tenant,
        revision=plan.revision,
        changes=len(plan.changes),
        changed_by=request.attribution.changed_by,
    )
