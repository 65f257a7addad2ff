"""What the use cases need from the world."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from control_plane.domain.access_keys import KeyNews, NewKey, StoredKey
from control_plane.domain.fleet import Report
from control_plane.domain.history import ChangeSetSummary, CommittedChanges, HistoryFilter
from control_plane.domain.outbox import Acknowledged, Backlog, OutboxRecord, Unsent
from control_plane.domain.plans import Plan
from control_plane.domain.propagation import Publication
from control_plane.domain.requests import ChangeRequest, IdempotencyKey, RecordedResponse
from control_plane.domain.routes import PastRoute, Route, RouteFilter, RoutePosition, Tenant
from shared.schemas.events import Heartbeat, RouteChange
from shared.schemas.identity import RouteKey


class Tenants(Protocol):
    """The teams on the platform. Every method raises DependencyUnavailable."""

    async def create(self, name: str) -> tuple[Tenant, bool]:
        """The tenant of that name, made when there was none; the flag says whether this call made it."""
        ...

    async def get(self, name: str) -> Tenant:
        """Raises NoSuchTenant."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        """Up to `limit` tenants by name, those after the given one."""
        ...


class Routes(Protocol):
    """Every tenant's routes. Every method raises DependencyUnavailable and NoSuchTenant."""

    async def get(self, key: RouteKey) -> Route:
        """The route, active or not. Raises NoSuchRoute."""
        ...

    async def page(
        self, tenant: str, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[Route]:
        """Up to `limit` of a tenant's routes by service, env and version, those after the given position."""
        ...


class ChangeSets(Protocol):
    """Changes to tenants' routes. Every method raises DependencyUnavailable, NoSuchTenant, and what forbids the plan:

    NoSuchRoute, PreconditionFailed, RevisionMismatch, RevertConflict, MassDeactivation, RouteQuotaReached, TooManyChanges,
    and for an intent that goes back to a revision NoSuchRevision and HistoryPurged.
    """

    async def plan(self, request: ChangeRequest) -> Plan:
        """What the request would do now, in the order of the wanted routes. Writes nothing."""
        ...

    async def apply(self, request: ChangeRequest, headers: Mapping[str, str]) -> Plan | RecordedResponse:
        """Make all of it true in one transaction: one revision and one event, or neither when it was so before.

        `headers` travel with the event. An Answer is what a request with the same key has got before. Raises KeyReused,
        and TenantBusy when other changes of the tenant take too long.
        """
        ...


class History(Protocol):
    """What was done to tenants' routes. Every method raises DependencyUnavailable and NoSuchTenant.

    All but `page` raise NoSuchRevision, and HistoryPurged for what is no longer kept. Revision 0 is the beginning.
    """

    async def page(
        self, tenant: str, matching: HistoryFilter, before: int | None, limit: int
    ) -> Sequence[ChangeSetSummary]:
        """Up to `limit` change sets, newest first, those before the given revision."""
        ...

    async def get(self, tenant: str, revision: int) -> CommittedChanges:
        """A change set with all that it changed, in its order."""
        ...

    async def diff(
        self, tenant: str, first: int, last: int, after: RoutePosition | None, limit: int
    ) -> Sequence[RouteChange]:
        """Up to `limit` routes that differ between two revisions, by service, env and version."""
        ...

    async def routes_at(
        self, tenant: str, revision: int, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[PastRoute]:
        """Up to `limit` of the routes as they were at a revision, by service, env and version."""
        ...


class AccessKeys(Protocol):
    """Who may call. A `tenant` of None means the platform's own keys. Every method raises DependencyUnavailable.

    Whatever changes is on its way to all services when the call returns.
    """

    async def create(self, new: NewKey, once: IdempotencyKey[StoredKey] | None = None) -> StoredKey:
        """Raises NoSuchTenant; and AnsweredBefore and KeyReused where the same was wanted `once` before."""
        ...

    async def page(self, tenant: str | None, after: str | None, limit: int) -> Sequence[StoredKey]:
        """Up to `limit` keys by id, those after the given one, revoked ones too. Raises NoSuchTenant."""
        ...

    async def rotate(
        self,
        tenant: str | None,
        key_id: str,
        sha256: str,
        grace: timedelta | None,
        once: IdempotencyKey[StoredKey] | None = None,
    ) -> StoredKey:
        """Add a secret; the one before it stays good for `grace` (None: until the next rotation).

        Raises NoSuchKey, also for one that was revoked or has expired; AnsweredBefore and KeyReused as `create` does.
        """
        ...

    async def revoke(self, tenant: str | None, key_id: str) -> None:
        """End the key for good. Raises NoSuchKey, also for a revoked one."""
        ...

    async def changed_since(self, since: datetime | None) -> KeyNews:
        """The keys of all tenants that changed after `since` (None: all keys)."""
        ...


class OutboxSession(Protocol):
    """A relay's hold on the outbox. Every method raises LeadershipLost, after which the session is of no use."""

    async def try_lead(self) -> bool:
        """Whether this session is the one that may publish, from now until it ends."""
        ...

    async def beat(self) -> datetime:
        """Store that the relay lives; returns the primary's clock as read before. Keeps the session from expiring."""
        ...

    async def unsent(self) -> Unsent:
        """What to publish next: a bounded number of records, and of bytes."""
        ...

    async def mark_sent(self, acknowledged: Sequence[Acknowledged]) -> Sequence[tuple[str, float]]:
        """Note where each record landed. Returns each one's topic, and the seconds from its commit to now."""
        ...

    async def purge(self, older_than: timedelta) -> int:
        """Delete a bounded number of records that were sent longer ago; returns how many."""
        ...

    async def purge_history(self, older_than: timedelta) -> int:
        """Delete a bounded number of change sets committed longer ago, each tenant's oldest first; returns how many."""
        ...

    async def purge_answers(self, older_than: timedelta) -> int:
        """Delete a bounded number of answers recorded longer ago; returns how many."""
        ...


class Outbox(Protocol):
    """The events that were committed with the changes."""

    def session(self, on_signal: Callable[[], None]) -> AbstractAsyncContextManager[OutboxSession]:
        """A session that calls `on_signal` when another process commits an event.

        Raises LeadershipLost when it cannot be had, and inside the block at once when it is lost.
        """
        ...

    async def signal(self) -> None:
        """Tell the leading relay, in whichever process, that there is something to publish.

        Raises DependencyUnavailable.
        """
        ...

    async def backlog(self) -> Backlog:
        """Raises DependencyUnavailable."""
        ...


class EventLog(Protocol):
    """Kafka, as far as the relay sees it."""

    async def publish(self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]) -> None:
        """Publish the records, those of one key in the given order; report each when it is acknowledged.

        Of each key, those reported are the first so many. Raises NotPublished when any was not acknowledged.
        """
        ...

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Write a heartbeat to every partition. Raises NotPublished."""
        ...


class Publications(Protocol):
    """Committed change sets on their way to the resolvers."""

    async def get(self, tenant: str, revision: int) -> Publication:
        """Raises DependencyUnavailable, NoSuchTenant, NoSuchRevision, and HistoryPurged for what is no longer kept."""
        ...


class StatusReports(Protocol):
    """What resolver processes tell of themselves."""

    def batches(self) -> AsyncGenerator[Sequence[Report], None]:
        """The reports in batches, for ever; a batch may be empty. The first one is what was told until now.

        Raises ReportsInterrupted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Every port of the service. `revocations` is an event log of its own, so that it never waits for the relay's."""

    tenants: Tenants
    routes: Routes
    change_sets: ChangeSets
    history: History
    access_keys: AccessKeys
    outbox: Outbox
    events: EventLog
    revocations: EventLog
    publications: Publications
    status_reports: StatusReports
