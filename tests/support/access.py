"""Access keys, and access control with a keyring that a test fills."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.runtime.access.assembly import Access
from shared.runtime.access.authenticator import CredentialAuthenticator
from shared.runtime.access.jwt import JwtVerifier
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.tokens import AccessKey
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.access import AccessRecord, LiveSecret, Role
from tests.support.clocks import MovableClock


def a_record(
    *keys: AccessKey, role: Role = Role.VIEWER, tenant: str | None = "team-a", version: int = 1, **values: Any
) -> AccessRecord:
    """The record of one access key with these secrets. An admin's record has no tenant."""
    return AccessRecord(
        key_id=keys[0].key_id,
        version=version,
        subject=values.pop("subject", f"{role}@example.com"),
        role=role,
        tenant=None if role is Role.ADMIN else tenant,
        secrets=tuple(LiveSecret(sha256=each.sha256) for each in keys),
        **values,
    )


def bearer(key: AccessKey | str) -> dict[str, str]:
    """The header that presents a credential."""
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.text}"}


@dataclass
class AccessFixture:
    """Access control of one service, with a keyring that the test fills."""

    service: Service = Service.CONTROL_PLANE
    clock: Clock = field(default_factory=MovableClock)
    tokens: JwtVerifier | None = None
    loaded: bool = True

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.service)
        self.keyring = Keyring(self.clock, self.metrics)
        if self.loaded:
            self.keyring.note_complete(self.clock.monotonic())
        self.authenticator = CredentialAuthenticator(self.keyring, self.tokens, clock=self.clock, metrics=self.metrics)

    @property
    def access(self) -> Access:
        return Access(self.authenticator, self.keyring)

    def admit(self, role: Role, tenant: str = "team-a", expires_at: datetime | None = None) -> AccessKey:
        """A new access key in the keyring."""
        key = AccessKey.new()
        self.keyring.put(a_record(key, role=role, tenant=tenant, expires_at=expires_at))
        return key

    def check(self, credential: AccessKey | str | None) -> Any:
        """The authentication result for `Authorization: Bearer <credential>`; None sends no header."""
        headers = {} if credential is None else bearer(credential)
        return self.authenticator.check([(name.lower().encode(), value.encode()) for name, value in headers.items()])
