"""The encodings of a value: as JSON in the body of a 200 answer, and as the text that Redis and snapshots store.

The JSON of a value is encoded once, when its entry is stored in L1.
"""

from collections.abc import Sequence

import msgspec

from data_plane.domain.active_value import ActiveValue
from shared.schemas.identity import RouteKey

STORED_FORMAT = 1
"""The format of `to_text`. Another one gets the next number: Redis then has other keys for it, and older snapshots are refused.
An older release, which would drop the new attributes, neither reads nor replaces what this one stores.
"""


class ResolvedRoute(msgspec.Struct, frozen=True):
    """The URL that serves a route, and the revision of its tenant that last changed it."""

    tenant: str
    service: str
    env: str
    version: str
    url: str
    revision: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ActiveValue)
# The JSON object of a value is encoded without its beginning and end: the body continues it, and it is shorter in L1.
_START, _END = b'{"url":', b"}"
_LENGTH = slice(len(_START), -len(_END))
_BODY = b'{"tenant":"%b","service":"%b","env":"%b","version":"%b","url":%b,"revision":%d}'


def resolved_route(key: RouteKey, value: ActiveValue, revision: int) -> ResolvedRoute:
    """The body of the answer for an active route."""
    return ResolvedRoute(key.tenant, key.service, key.env, key.version, value.url, revision)


def encode(key: RouteKey, value: ActiveValue, revision: int) -> bytes:
    """The JSON of a `ResolvedRoute`."""
    return _encoder.encode(resolved_route(key, value, revision))


def encode_value(value: ActiveValue) -> bytes:
    """The JSON of the value, as far as bodies of answers differ in it."""
    return _encoder.encode(value)[_LENGTH]


def decode_value(encoded: bytes) -> ActiveValue:
    """The inverse of `encode_value`."""
    return _decoder.decode(_START + encoded + _END)


def body_of(parts: Sequence[bytes], value: bytes, revision: int) -> bytes:
    """The JSON for tenant, service, env and version (no character of which needs escaping) and an encoded value."""
    return _BODY % (*parts, value, revision)


def to_text(value: ActiveValue | None) -> str:
    """The text that Redis and snapshots store; empty without a value."""
    return "" if value is None else value.url


def from_text(text: str) -> ActiveValue | None:
    """The inverse of `to_text`. Raises ValueError."""
    return ActiveValue(text) if text else None
