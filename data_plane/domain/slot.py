"""How an entry is kept in the process: small, because there are a million of them, and ready to be sent."""

import msgspec

from data_plane.domain.entry import Entry, State
from data_plane.domain.resolved import body_of, tail_of, url_in
from shared.schemas.identity import RouteKey

MAX_USES = 3


# Without the garbage collector's header, and never visited by it: a million entries must not cost a pause.
class Slot(msgspec.Struct, gc=False):
    """An entry without its key. `tail` ends the body that is answered for an active route; empty for any other.

    `uses` counts how often it was asked for, up to MAX_USES: what is used stays when the cache is full.
    """

    tail: bytes
    state: State
    revision: int
    as_of: float
    expires_at: float
    uses: int = 0

    @classmethod
    def of(cls, entry: Entry) -> "Slot":
        """The entry as it is kept."""
        tail = b"" if entry.url is None else tail_of(entry.url, entry.revision)
        return cls(tail, entry.state, entry.revision, entry.as_of, entry.expires_at)

    def entry(self, key: RouteKey) -> Entry:
        """The entry as it was handed in under this key."""
        url = url_in(self.tail) if self.tail else None
        return Entry(key, self.state, url, self.revision, self.as_of, self.expires_at)

    def body(self, route: bytes) -> bytes:
        """What is answered for an active route that is kept under `route`."""
        return body_of(route, self.tail)


def route_of(key: RouteKey) -> bytes:
    """What an entry is kept under: `tenant/service/env/version`, as it stands in the path of a request."""
    return f"{key.tenant}/{key.service}/{key.env}/{key.version}".encode()
