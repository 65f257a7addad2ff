"""Verifies JWTs with the issuer's public keys, which are kept in memory and fetched in the background."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import msgspec
from jwt import PyJWK, PyJWKSet

from shared.runtime.access.principal import Principal, Refusal
from shared.schemas.access import Role, Subject
from shared.schemas.events import Name

LEEWAY_SECONDS = 10.0
"""Accepted difference between the issuer's clock and this host's."""

_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a token must contain, and the names of the claims that identify the caller."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    subject_claim: str = "sub"
    tenant_claim: str = "tenant"
    role_claim: str = "role"


class _Claims(msgspec.Struct):
    subject: Subject
    role: Role
    tenant: Name | None = None


class JwtVerifier:
    """Verifies tokens with the keys passed to `use` last."""

    def __init__(self, rules: JwtRules) -> None:
        self._rules = rules
        self._keys: dict[str, PyJWK] = {}
        self.version = 0
        """Grows when the keys change."""
        self.unknown_key_seen = asyncio.Event()
        """Set when a token names a key that this verifier does not have."""

    def use(self, key_set: bytes) -> None:
        """Verify with the keys of this JSON Web Key Set from now on. Raises ValueError when it has no usable key."""
        try:
            fetched = PyJWKSet.from_json(key_set.decode()).keys
            keys = {each.key_id: each for each in fetched if each.key_id and _verifies(each)}
        except Exception as error:  # the libraries raise errors of many types for a malformed set
            raise ValueError(f"not a JSON Web Key Set: {type(error).__name__}: {error}") from error
        if not keys:
            raise ValueError("no key in the set has a `kid` and an asymmetric type, and is for signatures")
        self._keys = keys
        self.version += 1

    def verify(self, token: str) -> tuple[Principal, datetime | None] | Refusal:
        """The token's subject and expiry, or the reason to refuse it: `unknown` before the first keys are fetched."""
        try:
            key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                self.unknown_key_seen.set()
                return Refusal.INVALID if self._keys else Refusal.UNKNOWN
            claims = self._decode(token, key)
        except jwt.ExpiredSignatureError:
            return Refusal.EXPIRED
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):  # malformed input raises all of these
            return Refusal.INVALID
        return self._principal(claims)

    def _decode(self, token: str, key: PyJWK) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(self._rules.algorithms),
            issuer=self._rules.issuer,
            audience=self._rules.audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> tuple[Principal, datetime | None] | Refusal:
        rules = self._rules
        values = {
            "subject": claims.get(rules.subject_claim),
            "role": claims.get(rules.role_claim),
            "tenant": claims.get(rules.tenant_claim),
        }
        try:
            identity = msgspec.convert(values, _Claims)
            ends_at = datetime.fromtimestamp(int(claims["exp"]) + LEEWAY_SECONDS, UTC)
        except (msgspec.ValidationError, ValueError, OverflowError, OSError):  # the last three: a year beyond 9999
            return Refusal.INVALID
        if (identity.role is Role.ADMIN) != (identity.tenant is None):
            return Refusal.INVALID
        return Principal(identity.subject, identity.role, identity.tenant, f"jwt:{identity.subject}"), ends_at


def _verifies(key: PyJWK) -> bool:
    return key.key_type in _KEY_TYPES and (key.public_key_use or "sig") == "sig"
