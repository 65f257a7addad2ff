"""Builds the authenticator, and the background work that it needs, from the settings."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from shared.runtime.access.authenticator import Authenticator, CredentialAuthenticator
from shared.runtime.access.jwks import JwksRefresher
from shared.runtime.access.jwt import JwtRules, JwtVerifier
from shared.runtime.access.key_usage import UsedKeys
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.background import in_background
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings

ACCESS_KEYS = "access_keys"
"""Name of the readiness check for the access keys."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """The authenticator and its parts. The service keeps `keyring` up to date; None where access is off."""

    authenticator: Authenticator
    keyring: Keyring | None = None
    keys_health: DependencyHealth | None = None
    tokens: JwksRefresher | None = None
    used_keys: UsedKeys = field(default_factory=UsedKeys)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Renew the keys of JWTs for as long as the block runs."""
        if self.tokens is None:
            yield
            return
        async with in_background(self.tokens.run, "JWKS refresh"):
            yield


def build_access(
    settings: ServiceSettings,
    *,
    clock: Clock,
    health: Health,
    metrics: Metrics,
) -> Access:
    """With `TM_ACCESS=on`, `health` gets a required dependency for the keys: the service is not ready before they are loaded."""
    if settings.access == "off":
        health.notes["access"] = "off: every caller may do everything (TM_ACCESS=off)"
        _log.warning(
            "ACCESS IS OFF: every caller that reaches this port may do everything; unset TM_ACCESS to change that"
        )
        return Access(OpenAccess())
    keyring = Keyring(clock, metrics)
    keys_health = DependencyHealth(required=True, up=False, detail="not loaded yet")
    health.dependencies[ACCESS_KEYS] = keys_health
    verifier, refresher = _tokens(settings, health.notes)
    used_keys = UsedKeys()
    authenticator = CredentialAuthenticator(keyring, verifier, clock=clock, metrics=metrics, used_keys=used_keys)
    return Access(authenticator, keyring, keys_health, refresher, used_keys)


def _tokens(
    settings: ServiceSettings, notes: MutableMapping[str, str]
) -> tuple[JwtVerifier, JwksRefresher] | tuple[None, None]:
    if settings.jwt_jwks is None or settings.jwt_issuer is None or settings.jwt_audience is None:
        return None, None
    rules = JwtRules(
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_algorithms,
        settings.jwt_subject_claim,
        settings.jwt_tenant_claim,
        settings.jwt_role_claim,
    )
    verifier = JwtVerifier(rules)
    return verifier, JwksRefresher(settings.jwt_jwks, verifier, notes=notes)
