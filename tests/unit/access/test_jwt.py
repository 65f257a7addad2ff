"""Authentication by JWT."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.runtime.access.jwks import JwksRefresher
from shared.runtime.access.jwt import JwtRules, JwtVerifier
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.clock import SystemClock
from shared.schemas.access import Role
from tests.support.access import AccessFixture
from tests.support.waiting import eventually

ISSUER, AUDIENCE = "https://id.example.com", "traffic-manager"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JWKS = json.dumps(
    {
        "keys": [
            {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
            {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec"},
            {"kty": "oct", "kid": "secret", "k": base64.urlsafe_b64encode(b"s" * 32).decode()},
            {**RSAAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True), "kid": "encryption", "use": "enc"},
        ]
    }
).encode()


def claims(**changed: Any) -> dict[str, Any]:
    """Good ones, unless changed; a claim that is None is left out."""
    now = int(time.time())
    values = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "role": "editor", "tenant": "team-a", "exp": now + 300}
    return {name: value for name, value in {**values, **changed}.items() if value is not None}


def signed(payload: dict[str, Any], key: Any = RSA_KEY, algorithm: str = "RS256", kid: str = "rsa") -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def access() -> AccessFixture:
    verifier = JwtVerifier(JwtRules(ISSUER, AUDIENCE, ("RS256", "ES256")))
    verifier.use(JWKS)
    return AccessFixture(clock=SystemClock(), tokens=verifier)


def test_token_of_the_issuer_identifies_its_subject(access: AccessFixture) -> None:
    expected = Principal("ada", Role.EDITOR, "team-a", "jwt:ada")
    assert access.check(signed(claims())) == expected
    assert access.check(signed(claims(), EC_KEY, "ES256", "ec")) == expected
    assert access.check(signed(claims(role="admin", tenant=None))).role is Role.ADMIN


@pytest.mark.parametrize(("configured", "accepted"), [(("RS256",), {"RS256"}), (("ES256",), {"ES256"})])
def test_only_configured_algorithms_are_accepted(configured: tuple[str, ...], accepted: set[str]) -> None:
    verifier = JwtVerifier(JwtRules(ISSUER, AUDIENCE, configured))
    verifier.use(JWKS)
    access = AccessFixture(clock=SystemClock(), tokens=verifier)
    tokens = {
        "RS256": signed(claims()),
        "RS512": signed(claims(), algorithm="RS512"),
        "ES256": signed(claims(), EC_KEY, "ES256", "ec"),
    }
    assert {name for name, token in tokens.items() if isinstance(access.check(token), Principal)} == accepted


CURVES: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}
RSA_FAMILY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def jwk_of(algorithm: str, **values: Any) -> dict[str, Any]:
    """The public key that verifies this algorithm, as an issuer publishes it that names no `alg`."""
    public: Any = CURVES.get(algorithm, RSA_KEY).public_key()
    make: Any = OKPAlgorithm if algorithm == "EdDSA" else ECAlgorithm if algorithm in CURVES else RSAAlgorithm
    return {**make.to_jwk(public, as_dict=True), "kid": "rsa", **values}


def accepted_algorithms(key: dict[str, Any], *configured: str) -> set[str]:
    """The algorithms of tokens that are accepted with this key of the issuer and these configured algorithms."""
    verifier = JwtVerifier(JwtRules(ISSUER, AUDIENCE, configured))
    verifier.use(json.dumps({"keys": [key]}).encode())
    access = AccessFixture(clock=SystemClock(), tokens=verifier)
    tokens = {each: signed(claims(), CURVES.get(each, RSA_KEY), each) for each in (*RSA_FAMILY, *CURVES)}
    return {each for each, token in tokens.items() if isinstance(access.check(token), Principal)}


@pytest.mark.parametrize("algorithm", [*RSA_FAMILY, *CURVES])
def test_key_without_alg_verifies_the_configured_algorithm_of_its_type(algorithm: str) -> None:
    assert accepted_algorithms(jwk_of(algorithm), algorithm) == {algorithm}


@pytest.mark.parametrize("algorithm", ["RS256", *CURVES])
def test_key_without_alg_verifies_no_algorithm_of_another_type(algorithm: str) -> None:
    expected = set(RSA_FAMILY) if algorithm == "RS256" else {algorithm}
    assert accepted_algorithms(jwk_of(algorithm), *RSA_FAMILY, *CURVES) == expected


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES384"])
def test_key_with_alg_verifies_that_algorithm_only(algorithm: str) -> None:
    assert accepted_algorithms(jwk_of(algorithm, alg=algorithm), *RSA_FAMILY, *CURVES) == {algorithm}


def test_set_whose_keys_fit_no_configured_algorithm_is_refused_with_the_reason() -> None:
    verifier = JwtVerifier(JwtRules(ISSUER, AUDIENCE, ("ES256",)))
    with pytest.raises(ValueError, match="TM_JWT_ALGORITHMS"):
        verifier.use(json.dumps({"keys": [jwk_of("RS256")]}).encode())


def test_token_without_a_signature_is_refused(access: AccessFixture) -> None:
    assert access.check(jwt.encode(claims(), "", algorithm="none", headers={"kid": "rsa"})) is Refusal.INVALID
    assert access.check(signed(claims()).rsplit(".", 1)[0] + ".") is Refusal.INVALID


def test_token_signed_with_the_public_key_as_a_secret_is_refused(access: AccessFixture) -> None:
    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    text = part({"alg": "HS256", "typ": "JWT", "kid": "rsa"}) + b"." + part(claims())
    signature = base64.urlsafe_b64encode(hmac.digest(PUBLIC_PEM, text, hashlib.sha256)).rstrip(b"=")
    assert access.check((text + b"." + signature).decode()) is Refusal.INVALID


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        (OTHER_KEY, "RS256", "rsa"),  # another issuer's key
        (OTHER_KEY, "RS256", "encryption"),  # a key that is not for signatures
        (b"s" * 32, "HS256", "secret"),  # a symmetric key in the set
        (RSA_KEY, "RS512", "rsa"),  # an algorithm that is not pinned
        (EC_KEY, "ES256", "rsa"),  # a key of another kind than its name says
        (RSA_KEY, "RS256", "unheard-of"),
    ],
)
def test_token_with_another_key_or_algorithm_is_refused(
    access: AccessFixture, key: Any, algorithm: str, kid: str
) -> None:
    assert access.check(signed(claims(), key, algorithm, kid)) is Refusal.INVALID


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another-service"},
        {"aud": None},
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"exp": None},
        {"exp": 10**18},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"sub": "two\nlines"},
        {"role": "root"},
        {"role": None},
        {"tenant": "No Tenant"},
        {"tenant": None},  # an editor of nothing
        {"role": "admin"},  # an admin of one tenant
    ],
)
def test_token_with_wrong_claims_is_refused(access: AccessFixture, changed: dict[str, Any]) -> None:
    assert access.check(signed(claims(**changed))) is Refusal.INVALID


@pytest.mark.parametrize(
    "subject",
    [
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "system:serviceaccount:shop:web",
        "repo:acme/shop:ref:refs/heads/main",
        "kVJm3Y9tHnA2@clients",
    ],
)
def test_subject_formats_of_known_issuers_are_accepted(access: AccessFixture, subject: str) -> None:
    assert access.check(signed(claims(sub=subject))).subject == subject


def test_expired_token_is_refused_as_expired(access: AccessFixture) -> None:
    assert access.check(signed(claims(exp=int(time.time()) - 60))) is Refusal.EXPIRED


@pytest.mark.parametrize("text", ["a.b.c", "..", "[" * 3000, base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.x"])
def test_malformed_token_is_refused(access: AccessFixture, text: str) -> None:
    assert access.check(text) is Refusal.INVALID


def test_claims_are_mapped_by_settings() -> None:
    rules = JwtRules(ISSUER, AUDIENCE, ("RS256",), subject_claim="email", tenant_claim="team", role_claim="tm_role")
    verifier = JwtVerifier(rules)
    verifier.use(JWKS)
    access = AccessFixture(clock=SystemClock(), tokens=verifier)
    principal = access.check(signed(claims(email="ada@example.com", team="team-b", tm_role="resolver")))
    assert (principal.subject, principal.tenant, principal.role) == ("ada@example.com", "team-b", Role.RESOLVER)


async def test_flood_of_unknown_keys_causes_one_fetch(access: AccessFixture) -> None:
    fetches: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fetches.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(JWKS)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + JWKS)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    source = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    assert access.tokens is not None
    before = access.tokens.version
    notes: dict[str, str] = {}
    refreshing = asyncio.create_task(JwksRefresher(source, access.tokens, notes=notes).run())
    try:
        await eventually(lambda: _is_newer(access, before))
        for number in range(500):
            assert access.check(signed(claims(), kid=f"kid-{number}")) is Refusal.INVALID
            await asyncio.sleep(0)
    finally:
        refreshing.cancel()
        server.close()
    assert (len(fetches), notes) == (1, {})


async def test_new_key_of_the_issuer_is_fetched_when_a_token_names_it(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(JWKS.replace(b'"rsa"', b'"last-year"'))
    verifier = JwtVerifier(JwtRules(ISSUER, AUDIENCE, ("RS256",)))
    access = AccessFixture(clock=SystemClock(), tokens=verifier)
    refreshing = asyncio.create_task(JwksRefresher(str(file), verifier, notes={}, min_refresh_seconds=0.05).run())
    try:
        await eventually(lambda: _is_newer(access, 0))
        file.write_bytes(JWKS)
        await eventually(lambda: _accepts(access, signed(claims())))
    finally:
        refreshing.cancel()


async def test_token_is_unknown_before_the_issuers_keys_are_fetched() -> None:
    verifier = JwtVerifier(JwtRules(ISSUER, AUDIENCE, ("RS256",)))
    access = AccessFixture(clock=SystemClock(), tokens=verifier)
    assert access.check(signed(claims())) is Refusal.UNKNOWN
    assert access.check("a.b.c") is Refusal.INVALID
    verifier.use(JWKS)
    assert isinstance(access.check(signed(claims())), Principal)


async def test_invalid_key_set_leaves_the_keys_unchanged(tmp_path: Path, access: AccessFixture) -> None:
    file = tmp_path / "jwks.json"
    file.write_text('{"keys": []}')
    assert access.tokens is not None
    notes: dict[str, str] = {}
    refreshing = asyncio.create_task(JwksRefresher(str(file), access.tokens, notes=notes).run())
    await eventually(lambda: _has(notes))
    refreshing.cancel()
    assert isinstance(access.check(signed(claims())), Principal)


@asynccontextmanager
async def _responding(response: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on loopback that answers everything alike: its address, and the requests that it got."""
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(response)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
    finally:
        server.close()


def _key_set_response(key_set: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(key_set)}\r\nConnection: close\r\n\r\n".encode() + key_set


async def test_key_set_on_loopback_is_not_fetched_through_a_proxy(
    access: AccessFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert access.tokens is not None
    before = access.tokens.version
    async with _responding(_key_set_response(JWKS)) as (issuer, _), _responding(b"") as (proxy, seen_by_proxy):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        refreshing = asyncio.create_task(JwksRefresher(f"{issuer}/jwks", access.tokens, notes={}).run())
        await eventually(lambda: _is_newer(access, before))
        refreshing.cancel()
    assert seen_by_proxy == []


async def test_redirect_of_a_key_set_is_not_followed(access: AccessFixture) -> None:
    assert access.tokens is not None
    notes: dict[str, str] = {}
    async with _responding(_key_set_response(JWKS)) as (target, seen_by_target):
        moved = f"HTTP/1.1 302 Found\r\nLocation: {target}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        async with _responding(moved.encode()) as (issuer, _):
            refreshing = asyncio.create_task(JwksRefresher(f"{issuer}/jwks", access.tokens, notes=notes).run())
            await eventually(lambda: _has(notes))
            refreshing.cancel()
    assert seen_by_target == []
    assert "127.0.0.1" not in notes["jwks"]


@pytest.mark.parametrize(
    "key_set",
    [
        b"[" * 100_000,
        b'{"keys":' + b'[{"a":' * 50_000,
        b'{"keys":[{"kty":"RSA","kid":"a","n":1,"e":[]}]}',
        b'{"keys":[{"kty":"RSA","kid":["a"],"n":"AQAB","e":"AQAB"}]}',
        b'{"keys":{"a":1}}',
        b'{"keys":[null,5]}',
        b'"keys"',
        b"\xff",
    ],
)
def test_odd_key_set_raises_value_error_only(key_set: bytes, access: AccessFixture) -> None:
    assert access.tokens is not None
    with pytest.raises(ValueError, match=r"JSON Web Key Set|no key"):
        access.tokens.use(key_set)
    assert isinstance(access.check(signed(claims())), Principal)


@pytest.mark.parametrize(
    "source", ["http://[::1", "https://a:b/", "http://127.0.0.1:99999/", "/no/such/file", "\0", "/"]
)
async def test_odd_source_of_keys_does_not_end_the_refresh(source: str, access: AccessFixture) -> None:
    assert access.tokens is not None
    notes: dict[str, str] = {}
    refreshing = asyncio.create_task(JwksRefresher(source, access.tokens, notes=notes).run())
    await eventually(lambda: _has(notes))
    assert not refreshing.done()
    refreshing.cancel()


async def _is_newer(access: AccessFixture, version: int) -> bool:
    return access.tokens is not None and access.tokens.version > version


async def _accepts(access: AccessFixture, token: str) -> bool:
    return isinstance(access.check(token), Principal)


async def _has(notes: dict[str, str]) -> bool:
    return bool(notes)
