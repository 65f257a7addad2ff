"""From a request's headers to its caller, without waiting for anything."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from shared.runtime.access.jwt import JwtVerifier
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.remembered import Remembered
from shared.runtime.access.tokens import AccessKey, MistypedKey
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

LONGEST_CREDENTIAL = 4096
"""Bytes. A longer one is refused unread."""
CACHED = 10_000
"""Credentials remembered of each kind, accepted and refused: those that are refused cannot crowd out the others."""
REMEMBER_SECONDS = 60.0
"""After which a credential is looked at again; it bounds what a jump of the host's clock does to expiry."""

_KEY_PREFIX = "tm_"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An accepted caller. Holds `until` then (monotonic seconds), as long as the authenticator's `version` stays."""

    principal: Principal
    until: float


class Authenticator(Protocol):
    """Tells who is calling. Synchronous, because every request goes through it."""

    def check(self, headers: Headers) -> Principal | Refusal:
        """The caller named by raw ASGI headers (lower-case names), or why there is none."""
        ...

    def accept(self, headers: Headers) -> Acceptance | None:
        """As `check`, for who remembers what it says; None for a refusal. Counts nothing."""
        ...

    def version(self) -> int:
        """Another number after anything has changed by which callers are accepted."""
        ...

    def accepted(self, requests: int) -> None:
        """Count so many requests whose caller was accepted, and remembered."""
        ...


class CredentialAuthenticator:
    """Accepts access keys and, where there is a verifier, JWTs. What it concluded once it remembers for a while."""

    def __init__(self, keyring: Keyring, tokens: JwtVerifier | None, *, clock: Clock, metrics: Metrics) -> None:
        self._keyring = keyring
        self._tokens = tokens
        self._clock = clock
        self._accepted: Remembered[Acceptance] = Remembered(CACHED)
        self._refused: Remembered[Refusal] = Remembered(CACHED)
        self._seen = 0
        counter = metrics.counter("tm_auth_total")
        self._ok = counter.labels("ok")
        self._counts = {each: counter.labels(each) for each in Refusal if each is not Refusal.UNKNOWN}

    def check(self, headers: Headers) -> Principal | Refusal:
        found = self._judge(headers)
        if isinstance(found, Acceptance):
            self._ok.inc()
            return found.principal
        if found in self._counts:
            self._counts[found].inc()
        return found

    def accept(self, headers: Headers) -> Acceptance | None:
        found = self._judge(headers)
        return found if isinstance(found, Acceptance) else None

    def version(self) -> int:
        return self._keyring.version + (self._tokens.version if self._tokens else 0)  # both only ever grow

    def accepted(self, requests: int) -> None:
        self._ok.inc(requests)

    def _judge(self, headers: Headers) -> Acceptance | Refusal:
        credential = _authorization(headers)
        if isinstance(credential, Refusal):
            return credential
        version = self.version()
        if version != self._seen:
            self._accepted.clear()
            self._refused.clear()
            self._seen = version
        now = self._clock.monotonic()
        known = self._accepted.get(credential, now) or self._refused.get(credential, now)
        return known if known is not None else self._conclude(credential, now)

    def _conclude(self, credential: bytes, now: float) -> Acceptance | Refusal:
        verified = self._verify(credential)
        if isinstance(verified, Refusal):
            if verified is not Refusal.UNKNOWN:
                self._refused.put(credential, verified, now + REMEMBER_SECONDS)
            return verified
        principal, ends_in = verified
        accepted = Acceptance(principal, until=now + min(ends_in, REMEMBER_SECONDS))
        self._accepted.put(credential, accepted, accepted.until)
        return accepted

    def _verify(self, credential: bytes) -> tuple[Principal, float] | Refusal:
        """The caller, and for how many seconds more."""
        text = _bearer(credential)
        if text is None:
            return Refusal.INVALID
        if text.startswith(_KEY_PREFIX):
            try:
                verified = self._keyring.verify(AccessKey.parse(text))
            except MistypedKey:
                return Refusal.INVALID
        elif self._tokens is not None:
            verified = self._tokens.verify(text)
        else:
            return Refusal.INVALID
        if isinstance(verified, Refusal):
            return verified
        principal, ends_at = verified
        return principal, (ends_at - self._clock.now()).total_seconds() if ends_at else math.inf


def _authorization(headers: Headers) -> bytes | Refusal:
    found = None
    for name, value in headers:
        if name == b"authorization":
            if found is not None:
                return Refusal.INVALID  # with two of them, a proxy and this service might each believe another one
            found = value
    if found is None:
        return Refusal.MISSING
    return found if len(found) <= LONGEST_CREDENTIAL else Refusal.INVALID


def _bearer(value: bytes) -> str | None:
    scheme, _, credential = value.partition(b" ")
    if scheme.lower() != b"bearer" or not credential.isascii():
        return None
    return credential.strip().decode("ascii") or None
