"""The port that stores access keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from control_plane.domain.access_keys import ChangedKeys, NewKey, StoredKey
from control_plane.domain.requests import IdempotencyKey


class AccessKeys(Protocol):
    """Access keys by tenant; a `tenant` of None means the platform's own. Every method raises DependencyUnavailable.

    A change commits together with its record for the other services.
    """

    async def create(self, new: NewKey, idempotency_key: IdempotencyKey[StoredKey] | None = None) -> StoredKey:
        """Raises NoSuchTenant; RequestRepeated for a repeated request, and KeyReused for a different one with its key."""
        ...

    async def page(self, tenant: str | None, after: str | None, limit: int) -> Sequence[StoredKey]:
        """Up to `limit` keys by id, starting after the given one, revoked keys included. Raises NoSuchTenant."""
        ...

    async def rotate(
        self,
        tenant: str | None,
        key_id: str,
        sha256: str,
        grace: timedelta,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> StoredKey:
        """Add a secret; the one before it stays valid for `grace`, but not beyond the next rotation.

        Raises NoSuchKey, also for a revoked or expired key; RequestRepeated and KeyReused as `create` does.
        """
        ...

    async def revoke(self, tenant: str | None, key_id: str) -> None:
        """End the key for good, or tell the services again that it has ended. Raises NoSuchKey."""
        ...

    async def changed_since(self, since: datetime | None) -> ChangedKeys:
        """The keys of all tenants that changed after `since`, on the primary's clock (None: all keys)."""
        ...
