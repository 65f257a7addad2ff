"""Identifies a request's caller from its headers, without I/O."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from shared.runtime.access.jwt import JwtVerifier
from shared.runtime.access.key_usage import UsedKeys
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey, MistypedKey
from shared.runtime.clock import Clock
from shared.runtime.fifo_dict import FifoDict
from shared.runtime.metrics import Metrics

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

MAX_CREDENTIAL_BYTES = 4096
"""A longer credential is refused unread."""
CACHE_SIZE = 10_000
"""Accepted credentials kept, and as many refused ones apart from them: refused credentials cannot displace accepted ones."""
CACHE_SECONDS = 60.0
"""Time after which a credential is verified again; it bounds how far a jump of the host's clock delays an expiry."""

_KEY_PREFIX = "tm_"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An accepted caller. Valid until the monotonic time `until`, while the authenticator's `version` stays the same."""

    principal: Principal
    until: float


class Authenticator(Protocol):
    """Identifies callers. Synchronous, because every request passes through it."""

    def check(self, headers: Headers) -> Principal | Refusal:
        """The caller named by raw ASGI headers (lower-case names), or the reason to refuse the request. Counted."""
        ...

    def accept(self, headers: Headers) -> Acceptance | None:
        """Like `check`, for callers that cache the result; None for a refusal. Not counted."""
        ...

    def version(self) -> int:
        """Changes with everything that decides which callers are accepted."""
        ...

    def count_accepted(self, requests: int) -> None:
        """Count requests whose caller was accepted from a cached result."""
        ...


class CredentialAuthenticator:
    """Accepts access keys and, where there is a verifier, JWTs. Results are cached."""

    def __init__(
        self,
        keyring: Keyring,
        tokens: JwtVerifier | None,
        *,
        clock: Clock,
        metrics: Metrics,
        used_keys: UsedKeys | None = None,
    ) -> None:
        """`used_keys` gets the accepted access keys, each when its secret is verified."""
        self._keyring = keyring
        self._tokens = tokens
        self._clock = clock
        self._used_keys = used_keys or UsedKeys()
        self._accepted: FifoDict[bytes, Acceptance] = FifoDict(CACHE_SIZE)
        self._refused: FifoDict[bytes, tuple[Refusal, float]] = FifoDict(CACHE_SIZE)
        self._cached_version = 0
        counter = metrics.counter("tm_auth_total")
        self._ok = counter.labels("ok")
        self._counts = {each: counter.labels(each) for each in Refusal if each is not Refusal.UNKNOWN}

    def check(self, headers: Headers) -> Principal | Refusal:
        result = self._authenticate(headers)
        if isinstance(result, Acceptance):
            self._ok.inc()
            return result.principal
        if result in self._counts:
            self._counts[result].inc()
        return result

    def accept(self, headers: Headers) -> Acceptance | None:
        result = self._authenticate(headers)
        return result if isinstance(result, Acceptance) else None

    def version(self) -> int:
        return self._keyring.version + (self._tokens.version if self._tokens else 0)  # both only ever grow

    def count_accepted(self, requests: int) -> None:
        self._ok.inc(requests)

    def _authenticate(self, headers: Headers) -> Acceptance | Refusal:
        credential = _authorization(headers)
        if isinstance(credential, Refusal):
            return credential
        version = self.version()
        if version != self._cached_version:
            self._accepted.clear()
            self._refused.clear()
            self._cached_version = version
        now = self._clock.monotonic()
        accepted = self._accepted.get(credential)
        if accepted is not None and now < accepted.until:
            return accepted
        refused = self._refused.get(credential)
        if refused is not None and now < refused[1]:
            return refused[0]
        return self._verify_and_cache(credential, now)

    def _verify_and_cache(self, credential: bytes, now: float) -> Acceptance | Refusal:
        verified = self._verify(credential)
        if isinstance(verified, Refusal):
            if verified is not Refusal.UNKNOWN:
                self._refused.put(credential, (verified, now + CACHE_SECONDS))
            return verified
        principal, remaining_seconds = verified
        accepted = Acceptance(principal, until=now + min(remaining_seconds, CACHE_SECONDS))
        self._accepted.put(credential, accepted)
        return accepted

    def _verify(self, credential: bytes) -> tuple[Principal, float] | Refusal:
        """The caller, and the seconds for which the credential remains valid."""
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
        if text.startswith(_KEY_PREFIX):
            self._used_keys.add(principal.credential)
        return principal, (ends_at - self._clock.now()).total_seconds() if ends_at else math.inf


def _authorization(headers: Headers) -> bytes | Refusal:
    found = None
    for name, value in headers:
        if name == b"authorization":
            if found is not None:
                return Refusal.INVALID  # a proxy and this service might otherwise each use a different one
            found = value
    if found is None:
        return Refusal.MISSING
    return found if len(found) <= MAX_CREDENTIAL_BYTES else Refusal.INVALID


def _bearer(value: bytes) -> str | None:
    scheme, _, credential = value.partition(b" ")
    if scheme.lower() != b"bearer" or not credential.isascii():
        return None
    return credential.strip().decode("ascii") or None
