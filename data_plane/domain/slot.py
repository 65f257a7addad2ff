"""How an entry is kept in the process: small, because there are a million of them, and ready to be sent."""

from collections.abc import Sequence

import msgspec

from data_plane.domain.entry import Entry, State
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.route_encoding import body_of, encode_url, url_in
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey

MAX_USES = 3
GONE = -1
"""Instead of the uses of a slot that is not held any more."""


# Without the garbage collector's header, and never visited by it: a million entries must not cost a pause.
class Slot(msgspec.Struct, gc=False, eq=False):
    """An entry without its key. `url` is as it stands in the body that is answered; empty where no route is active.

    `uses` counts how often it was asked for, up to MAX_USES: what is used stays when the cache is full.
    """

    url: bytes
    state: State
    revision: int
    read_at: LocalTime
    expires_at: LocalTime
    proven_at: PrimaryTime
    tenant_revision: int
    uses: int = 0

    @classmethod
    def of(cls, entry: Entry, *, tenant_revision: int) -> "Slot":
        """The entry as it is kept; `reflects` is the entry's, in an object that others have as well."""
        url = b"" if entry.url is None else encode_url(entry.url)
        return cls(url, entry.state, entry.revision, entry.read_at, entry.expires_at, entry.proven_at, tenant_revision)

    def entry(self, key: RouteKey) -> Entry:
        """The entry as it was handed in under this key."""
        url = url_in(self.url) if self.url else None
        return Entry(
            key, self.state, url, self.revision, self.read_at, self.expires_at, self.proven_at, self.tenant_revision
        )  # fmt: skip

    def equals_entry(self, entry: Entry) -> bool:
        """Whether it is the entry as it was handed in, of the same key."""
        return (
            self.revision == entry.revision
            and self.expires_at == entry.expires_at
            and self.read_at == entry.read_at
            and self.proven_at == entry.proven_at
            and self.tenant_revision == entry.tenant_revision
            and self.state is entry.state
        )

    def body(self, parts: Sequence[bytes]) -> bytes:
        """What is answered for an active route of this tenant, service, env and version."""
        return body_of(parts, self.url, self.revision)


def route_of(key: RouteKey) -> bytes:
    """What an entry is kept under: `tenant/service/env/version`, as it stands in the path of a request."""
    return f"{key.tenant}/{key.service}/{key.env}/{key.version}".encode()


def key_of(route: bytes) -> RouteKey:
    """The key that `route_of` was given."""
    return RouteKey(*route.decode().split("/"))
