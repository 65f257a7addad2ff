"""The JSON body of a 200 answer. The URL is encoded once, when the entry is stored."""

from collections.abc import Sequence

import msgspec

from shared.schemas.identity import RouteKey


class ResolvedRoute(msgspec.Struct, frozen=True):
    """The URL that serves a route, and the revision of its tenant that last changed it."""

    tenant: str
    service: str
    env: str
    version: str
    url: str
    revision: int


_encoder = msgspec.json.Encoder()
_BODY = b'{"tenant":"%b","service":"%b","env":"%b","version":"%b","url":%b,"revision":%d}'
_url_decoder = msgspec.json.Decoder(str)


def encode(key: RouteKey, url: str, revision: int) -> bytes:
    """The JSON of a `ResolvedRoute`."""
    return _encoder.encode(ResolvedRoute(key.tenant, key.service, key.env, key.version, url, revision))


def encode_url(url: str) -> bytes:
    """The URL as a JSON string, quotes included."""
    return _encoder.encode(url)


def decode_url(encoded: bytes) -> str:
    """The inverse of `encode_url`."""
    return _url_decoder.decode(encoded)


def body_of(parts: Sequence[bytes], url: bytes, revision: int) -> bytes:
    """The JSON for tenant, service, env and version (no character of which needs escaping) and an encoded URL."""
    return _BODY % (*parts, url, revision)
