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

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_ALGORITHMS_OF_CURVES = {
    "P-256": frozenset({"ES256"}),
    "P-384": frozenset({"ES384"}),
    "P-521": frozenset({"ES512"}),
    "Ed25519": frozenset({"EdDSA"}),
    "Ed448": frozenset({"EdDSA"}),
}
"""A key on a curve fits one algorithm (RFC 7518, section 3.4; RFC 8037), an RSA key all of its family."""


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a token must contain, and the names of the claims that identify the caller."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    subject_claim: str = "sub"
    tenant_claim: str = "tenant"
    role_claim: str = "role"


@dataclass(frozen=True, slots=True)
class _VerifyingKey:
    """A public key, and the configured algorithms that it may verify. No token can choose another one."""

    key: Any
    algorithms: tuple[str, ...]


class _Claims(msgspec.Struct):
    subject: Subject
    role: Role
    tenant: Name | None = None


class JwtVerifier:
    """Verifies tokens with the keys passed to `use` last."""

    def __init__(self, rules: JwtRules) -> None:
        self._rules = rules
        self._keys: dict[str, _VerifyingKey] = {}
        self.version = 0
        """Grows when the keys change."""
        self.unknown_key_seen = asyncio.Event()
        """Set when a token names a key that this verifier does not have."""

    def use(self, key_set: bytes) -> None:
        """Verify with the keys of this JSON Web Key Set from now on. Raises ValueError when it has no usable key."""
        try:
            fetched = PyJWKSet.from_json(key_set.decode()).keys
            keys = {each.key_id: self._verifying(each) for each in fetched if each.key_id and _signs(each)}
        except Exception as error:  # the libraries raise errors of many types for a malformed set
            raise ValueError(f"not a JSON Web Key Set: {type(error).__name__}: {error}") from error
        if not any(each.algorithms for each in keys.values()):
            raise ValueError(
                "no key in the set has a `kid`, is for signatures, and fits an algorithm of TM_JWT_ALGORITHMS "
                f"({', '.join(self._rules.algorithms)})"
            )
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

    def _verifying(self, key: PyJWK) -> _VerifyingKey:
        fitting = _algorithms(key)
        return _VerifyingKey(key.key, tuple(each for each in self._rules.algorithms if each in fitting))

    def _decode(self, token: str, key: _VerifyingKey) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=list(key.algorithms),
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


def _signs(key: PyJWK) -> bool:
    return (key.public_key_use or "sig") == "sig"


def _algorithms(key: PyJWK) -> frozenset[str]:
    """The algorithms that the key can verify: the one that it names, or those of its type where it names none.

    The library assumes RS256 for an RSA key without `alg`, and then refuses the other algorithms of RSA.
    """
    parameters: Mapping[str, Any] = key._jwk_data  # noqa: SLF001 - there is no public access to `alg` and `crv`
    if key.key_type == "RSA":
        of_type = _RSA_ALGORITHMS
    elif key.key_type in ("EC", "OKP"):
        of_type = _ALGORITHMS_OF_CURVES.get(str(parameters.get("crv")), frozenset())
    else:
        of_type = frozenset()  # a symmetric key
    return of_type & {parameters["alg"]} if parameters.get("alg") else of_type
