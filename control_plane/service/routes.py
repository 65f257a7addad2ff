"""What can be done with a tenant's routes."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from control_plane.domain.changes import Attribution, Outcome, WantedChangeSet, WantedRoute
from control_plane.domain.routes import Route, RouteFilter, RoutePosition
from control_plane.errors import NoSuchRoute, NoSuchTenant, TooManyChanges
from control_plane.ports import Routes
from shared.runtime import tracing
from shared.runtime.metrics import Metrics
from shared.schemas.events import CORRELATION_ID_HEADER, TRACEPARENT_HEADER
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput

_log = structlog.get_logger(__name__)
_REJECTIONS = (NoSuchTenant, NoSuchRoute, TooManyChanges, InvalidInput)


class RouteService:
    """One method per use case, each within the deadline: TimeoutError after it. All raise DependencyUnavailable."""

    def __init__(
        self, routes: Routes, *, on_commit: Callable[[], None], deadline_seconds: float, metrics: Metrics
    ) -> None:
        """`on_commit` is called after every committed change."""
        self._routes = routes
        self._on_commit = on_commit
        self._deadline = deadline_seconds
        self._changes = metrics.counter("tm_changes_total")

    async def get(self, key: RouteKey) -> Route:
        """The route, active or not. Raises NoSuchRoute, NoSuchTenant."""
        async with asyncio.timeout(self._deadline):
            return await self._routes.get(key)

    async def page(
        self, tenant: str, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[Route]:
        """A tenant's routes by service, env and version, those after the given position. Raises NoSuchTenant."""
        async with asyncio.timeout(self._deadline):
            return await self._routes.page(tenant, matching, after, limit)

    async def put(self, wanted: WantedRoute, attribution: Attribution) -> Outcome:
        """Create the route, or make it what is wanted. Raises NoSuchTenant, TenantBusy."""
        return await self._apply_one(wanted, attribution)

    async def activate(self, key: RouteKey, attribution: Attribution) -> Outcome:
        """Have the route resolved again. Raises NoSuchRoute, NoSuchTenant, TenantBusy."""
        return await self._apply_one(WantedRoute(key, is_active=True), attribution)

    async def deactivate(self, key: RouteKey, attribution: Attribution) -> Outcome:
        """Have the route resolved no more; it stays. Raises NoSuchRoute, NoSuchTenant, TenantBusy."""
        return await self._apply_one(WantedRoute(key, is_active=False), attribution)

    async def _apply_one(self, wanted: WantedRoute, attribution: Attribution) -> Outcome:
        (outcome,) = await self._apply(WantedChangeSet(wanted.key.tenant, (wanted,)), attribution)
        return outcome

    async def _apply(self, wanted: WantedChangeSet, attribution: Attribution) -> Sequence[Outcome]:
        with self._counting_refusals(len(wanted.routes)):
            async with asyncio.timeout(self._deadline):
                outcomes = await self._routes.apply(wanted, attribution, _event_headers(attribution))
        for each in outcomes:
            action, outcome = (each.change.action, "committed") if each.change else ("none", "unchanged")
            self._changes.labels(action, outcome).inc()
        changed = [each.route for each in outcomes if each.change]
        if changed:
            self._on_commit()
            _log.info(
                "changes committed",
                tenant=wanted.tenant,
                revision=changed[0].revision,
                changes=len(changed),
                changed_by=attribution.changed_by,
            )
        return outcomes

    @contextmanager
    def _counting_refusals(self, changes: int) -> Iterator[None]:
        try:
            yield
        except _REJECTIONS:
            self._changes.labels("none", "rejected").inc(changes)
            raise
        except Exception:
            self._changes.labels("none", "failed").inc(changes)
            raise


def _event_headers(attribution: Attribution) -> dict[str, str]:
    headers = {CORRELATION_ID_HEADER: attribution.correlation_id}
    traceparent = tracing.traceparent()
    return {**headers, TRACEPARENT_HEADER: traceparent} if traceparent else headers
