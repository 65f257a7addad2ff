"""What can be done with access keys."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from control_plane.domain.access_keys import NewKey, StoredKey
from control_plane.domain.outbox import OutboxRecord
from control_plane.domain.requests import IdempotencyKey
from control_plane.errors import NotPublished
from control_plane.ports.access_keys import AccessKeys
from control_plane.ports.publishing import EventLog
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import Role
from shared.schemas.topics import ACCESS_KEYS

_ANNOUNCE_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class AccessKeyService:
    """One method per use case, each within the deadline: TimeoutError after it. All raise DependencyUnavailable.

    A `tenant` of None means the platform's own keys.
    """

    def __init__(
        self,
        keys: AccessKeys,
        keyring: Keyring | None,
        events: EventLog,
        *,
        on_commit: Callable[[], None],
        deadline_seconds: float,
    ) -> None:
        """What is done here counts in `keyring` at once. `on_commit` is called after every committed change.

        `events` is where a revocation is told at once, besides by the relay: PostgreSQL may be gone before that looks.
        """
        self._keys = keys
        self._keyring = keyring
        self._events = events
        self._on_commit = on_commit
        self._deadline = deadline_seconds

    async def create(
        self,
        tenant: str | None,
        subject: str,
        role: Role,
        expires_at: datetime | None,
        created_by: str,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> tuple[StoredKey, AccessKey]:
        """A new key, and its text, which nobody can ask for again. Raises NoSuchTenant, RequestRepeated, KeyReused."""
        secret = AccessKey.new()
        new = NewKey(secret.key_id, secret.sha256, subject, role, tenant, created_by, expires_at)
        async with asyncio.timeout(self._deadline):
            stored = await self._keys.create(new, idempotency_key)
        self._changed(stored)
        _log.info("access key created", key=stored.key_id, subject=subject, role=role, of=tenant, by=created_by)
        return stored, secret

    async def page(self, tenant: str | None, after: str | None, limit: int) -> Sequence[StoredKey]:
        """Keys by id, those after the given one. Raises NoSuchTenant."""
        async with asyncio.timeout(self._deadline):
            return await self._keys.page(tenant, after, limit)

    async def rotate(
        self,
        tenant: str | None,
        key_id: str,
        grace: timedelta | None,
        by: str,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> tuple[StoredKey, AccessKey]:
        """A second secret for the key; the older one stays good for `grace`, or until the next rotation.

        Raises NoSuchKey, also for a key that has expired, NoSuchTenant, RequestRepeated and KeyReused.
        """
        secret = AccessKey.new(key_id)
        async with asyncio.timeout(self._deadline):
            stored = await self._keys.rotate(tenant, key_id, secret.sha256, grace, idempotency_key)
        self._changed(stored)
        _log.info("access key rotated", key=key_id, by=by)
        return stored, secret

    async def revoke(self, tenant: str | None, key_id: str, by: str) -> None:
        """End the key for good. Raises NoSuchKey, NoSuchTenant."""
        async with asyncio.timeout(self._deadline):
            await self._keys.revoke(tenant, key_id)
        if self._keyring is not None:
            self._keyring.end(key_id)
        self._on_commit()
        _log.info("access key revoked", key=key_id, by=by)
        await self._announce(key_id)

    async def _announce(self, key_id: str) -> None:
        ended = OutboxRecord(0, ACCESS_KEYS.name, key_id, {}, None)
        try:
            async with asyncio.timeout(_ANNOUNCE_SECONDS):
                await self._events.publish([ended], lambda _: None)
        except (NotPublished, TimeoutError) as error:
            _log.info("a revocation is left to the outbox", key=key_id, why=str(error))

    def _changed(self, stored: StoredKey) -> None:
        if self._keyring is not None:
            self._keyring.put(stored.record)
        self._on_commit()
