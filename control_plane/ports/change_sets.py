"""Ports through which change sets are planned and written."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from control_plane.domain.intents import Intent
from control_plane.domain.plans import TenantState
from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from shared.schemas.events import RouteChanged


class TenantReader(Protocol):
    """Reads one tenant inside one transaction. Every method raises DependencyUnavailable."""

    async def read_state(self, intent: Intent) -> TenantState:
        """The tenant's state as far as the intent needs it.

        Raises NoSuchTenant, and NoSuchRevision and HistoryPurged for an intent that goes back to a revision.
        """
        ...


class ChangeSetTransaction(TenantReader, Protocol):
    """Writes one change set of one tenant. `lock_tenant` comes first; nothing is durable before the block's end."""

    async def lock_tenant(self) -> None:
        """Exclude other change sets of the tenant until the transaction ends.

        Raises NoSuchTenant, and TenantBusy when another change set holds the tenant for too long.
        """
        ...

    async def recorded_response(self, key: IdempotencyKey[Any]) -> RecordedResponse | None:
        """The response recorded for the key within the last 24 hours; None for a new key.

        Raises KeyReused when the key was recorded for a different request.
        """
        ...

    async def write_change_set(self, event: RouteChanged, payload: bytes, headers: Mapping[str, str]) -> None:
        """Store the routes, the history, the tenant's new revision, and the outbox record.

        `payload`: the encoded event, which the record carries to Kafka with `headers`.
        """
        ...

    async def record_response(self, key: IdempotencyKey[Any], response: RecordedResponse, at: datetime) -> None:
        """Keep the response for a repetition of the request. `at` is the primary's time."""
        ...


class ChangeSets(Protocol):
    """Transactions on tenants' change sets. Both methods raise DependencyUnavailable, and NoSuchTenant."""

    def snapshot(self, tenant: str) -> AbstractAsyncContextManager[TenantReader]:
        """A read-only transaction in which all reads see one moment; it blocks no writer."""
        ...

    def transaction(self, tenant: str) -> AbstractAsyncContextManager[ChangeSetTransaction]:
        """A transaction that commits at the end of the block, and rolls back when the block raises."""
        ...
