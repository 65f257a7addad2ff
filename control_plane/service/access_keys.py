"""Creates, lists, rotates and revokes access keys."""

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
from shared.runtime.deadlines import time_limit, within_deadline
from shared.schemas.access import Role
from shared.schemas.topics import ACCESS_KEYS

_PUBLISH_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class AccessKeyService:
    """One method per use case. Each raises TimeoutError after the deadline, and DependencyUnavailable.

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
        default_grace: timedelta,
    ) -> None:
        """`default_grace`: how long the secret before a rotation stays valid when the request does not say.

        `keyring` gets every change at once. `on_commit` is called after every committed change.

        A revocation is published to `events` at once and again by the relay, since PostgreSQL may fail before the relay
        reads it.
        """
        self._keys = keys
        self._keyring = keyring
        self._events = events
        self._on_commit = on_commit
        self.deadline_seconds = deadline_seconds
        self._default_grace = default_grace

    async def create(
        self,
        tenant: str | None,
        subject: str,
        role: Role,
        expires_at: datetime | None,
        created_by: str,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> tuple[StoredKey, AccessKey]:
        """A new key with its text, which cannot be read again. Raises NoSuchTenant, RequestRepeated, KeyReused."""
        secret = AccessKey.new()
        new = NewKey(secret.key_id, secret.sha256, subject, role, tenant, created_by, expires_at)
        async with time_limit(self.deadline_seconds):
            stored = await self._keys.create(new, idempotency_key)
        self._apply(stored)
        _log.info("access key created", key=stored.key_id, subject=subject, role=role, of=tenant, by=created_by)
        return stored, secret

    @within_deadline
    async def page(self, tenant: str | None, after: str | None, limit: int) -> Sequence[StoredKey]:
        """Keys by id, starting after the given one. Raises NoSuchTenant."""
        return await self._keys.page(tenant, after, limit)

    async def rotate(
        self,
        tenant: str | None,
        key_id: str,
        grace: timedelta | None,
        by: str,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> tuple[StoredKey, AccessKey]:
        """A second secret for the key; the older one stays valid for `grace` (None: the default), until the next rotation.

        Raises NoSuchKey, also for an expired key, NoSuchTenant, RequestRepeated and KeyReused.
        """
        secret = AccessKey.new(key_id)
        grace = self._default_grace if grace is None else grace
        async with time_limit(self.deadline_seconds):
            stored = await self._keys.rotate(tenant, key_id, secret.sha256, grace, idempotency_key)
        self._apply(stored)
        _log.info("access key rotated", key=key_id, by=by)
        return stored, secret

    async def revoke(self, tenant: str | None, key_id: str, by: str) -> None:
        """End the key for good; a revoked key once more, because an old record of it may have come back. Raises NoSuchKey."""
        async with time_limit(self.deadline_seconds):
            await self._keys.revoke(tenant, key_id)
        if self._keyring is not None:
            self._keyring.end(key_id)
        self._on_commit()
        _log.info("access key revoked", key=key_id, by=by)
        await self._publish_revocation(key_id)

    async def _publish_revocation(self, key_id: str) -> None:
        ended = OutboxRecord(0, ACCESS_KEYS.name, key_id, {}, None)
        try:
            async with asyncio.timeout(_PUBLISH_SECONDS):
                unpublished = await self._events.publish([ended], lambda _: None)
        except (NotPublished, TimeoutError) as error:
            failure = f"{type(error).__name__}: {error}"
        else:
            failure = "; ".join(each.why for each in unpublished)
        if failure:
            _log.info("revocation not published at once; the relay publishes it", key=key_id, reason=failure)

    def _apply(self, stored: StoredKey) -> None:
        if self._keyring is not None:
            self._keyring.put(stored.record)
        self._on_commit()
