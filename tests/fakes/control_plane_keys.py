"""Access keys in memory, behind the same port as PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from control_plane.domain.access_keys import ChangedKeys, NewKey, StoredKey
from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from control_plane.errors import KeyReused, NoSuchKey, RequestRepeated
from tests.fakes.control_plane_registry import FakeRegistry


@dataclass
class FakeAccessKeys:
    """The AccessKeys port. Tenants are the registry's."""

    registry: FakeRegistry
    keys: dict[str, StoredKey] = field(default_factory=dict)
    recorded_responses: dict[tuple[str | None, str], tuple[bytes, RecordedResponse]] = field(default_factory=dict)

    async def create(self, new: NewKey, idempotency_key: IdempotencyKey[StoredKey] | None = None) -> StoredKey:
        now = self._begin(new.tenant)
        self._refuse_repeated(new.tenant, idempotency_key)
        self.keys[new.key_id] = StoredKey(
            key_id=new.key_id,
            version=1,
            subject=new.subject,
            role=new.role,
            tenant=new.tenant,
            sha256=new.sha256,
            older_sha256=None,
            older_until=None,
            created_by=new.created_by,
            created_at=now,
            expires_at=new.expires_at,
            rotated_at=None,
            revoked_at=None,
        )
        return self._recorded(self.keys[new.key_id], idempotency_key)

    async def page(self, tenant: str | None, after: str | None, limit: int) -> Sequence[StoredKey]:
        self._begin(tenant)
        found = [each for _, each in sorted(self.keys.items()) if each.tenant == tenant]
        return [each for each in found if after is None or each.key_id > after][:limit]

    async def rotate(
        self,
        tenant: str | None,
        key_id: str,
        sha256: str,
        grace: timedelta,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> StoredKey:
        self._refuse_repeated(tenant, idempotency_key)
        now, key = self._begin(tenant, known=False), self._live(tenant, key_id)
        if key.expires_at is not None and key.expires_at <= now:
            raise NoSuchKey(key_id)
        until = now + grace
        newer = replace(key, version=key.version + 1, sha256=sha256, rotated_at=now)
        self.keys[key_id] = replace(newer, older_sha256=key.sha256, older_until=until)
        return self._recorded(self.keys[key_id], idempotency_key)

    async def revoke(self, tenant: str | None, key_id: str) -> None:
        now, key = self._begin(tenant, known=False), self._of(tenant, key_id)
        if key.revoked_at is None:
            self.keys[key_id] = replace(key, version=key.version + 1, revoked_at=now)

    async def changed_since(self, since: datetime | None) -> ChangedKeys:
        now = self.registry.begin()
        return ChangedKeys(
            now, tuple(each for each in self.keys.values() if since is None or _changed_at(each) > since)
        )

    def _begin(self, tenant: str | None, *, known: bool = True) -> datetime:
        now = self.registry.begin()
        if tenant is not None and known:
            self.registry.tenant(tenant)
        return now

    def _refuse_repeated(self, tenant: str | None, idempotency_key: IdempotencyKey[StoredKey] | None) -> None:
        recorded = self.recorded_responses.get((tenant, idempotency_key.key)) if idempotency_key else None
        if idempotency_key and recorded:
            if recorded[0] != idempotency_key.fingerprint:
                raise KeyReused(idempotency_key.key)
            raise RequestRepeated(recorded[1])

    def _recorded(self, key: StoredKey, idempotency_key: IdempotencyKey[StoredKey] | None) -> StoredKey:
        if idempotency_key:
            self.recorded_responses[key.tenant, idempotency_key.key] = (
                idempotency_key.fingerprint,
                idempotency_key.make_response(key),
            )
        return key

    def _live(self, tenant: str | None, key_id: str) -> StoredKey:
        key = self._of(tenant, key_id)
        if key.revoked_at is not None:
            raise NoSuchKey(key_id)
        return key

    def _of(self, tenant: str | None, key_id: str) -> StoredKey:
        key = self.keys.get(key_id)
        if key is None or key.tenant != tenant:
            raise NoSuchKey(key_id)
        return key


def _changed_at(key: StoredKey) -> datetime:
    return max(each for each in (key.created_at, key.rotated_at, key.revoked_at) if each is not None)
