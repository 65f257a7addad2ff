"""The body of a 200 answer. What is to be encoded in it is encoded once, when the route is stored."""

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
_url_decoder = msgspec.json.Decoder(str)
_AFTER_URL = b',"revision":'


def encode(key: RouteKey, url: str, revision: int) -> bytes:
    """The JSON of a `ResolvedRoute`."""
    return _encoder.encode(ResolvedRoute(key.tenant, key.service, key.env, key.version, url, revision))


def tail_of(url: str, revision: int) -> bytes:
    """The end of that JSON, from the URL on: what cannot be told from the route's key."""
    return _encoder.encode(url) + _AFTER_URL + b"%d}" % revision


def body_of(route: bytes, tail: bytes) -> bytes:
    """The JSON of `tenant/service/env/version`, whose characters need no escaping."""
    tenant, service, env, version = route.split(b"/")
    return b'{"tenant":"%b","service":"%b","env":"%b","version":"%b","url":%b' % (tenant, service, env, version, tail)


def url_in(tail: bytes) -> str:
    """The URL in what `tail_of` has made."""
    return _url_decoder.decode(tail[: tail.rindex(_AFTER_URL)])
