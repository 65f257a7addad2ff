"""An entry as L1 stores it: small, because there are a million, and encoded for the answer."""

from collections.abc import Sequence

import msgspec

from data_plane.domain.entry import Entry, State
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.route_encoding import body_of, decode_value, encode_value
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey

MAX_USES = 3
GONE = -1
"""The `uses` of a slot that is no longer in the cache."""


# gc=False saves the collector's header and keeps it from visiting the slots: a million must not cause a pause.
# The fields of the entry are repeated here, and not nested, for the same reason: a nested object costs 50 bytes a route.
class Slot(msgspec.Struct, gc=False, eq=False):
    """An entry without its key. `value` is encoded as in the body of an answer; empty where no route is active.

    `uses` counts lookups up to MAX_USES; eviction spares used slots.
    """

    value: bytes
    state: State
    revision: int
    read_at: LocalTime
    expires_at: LocalTime
    proven_at: PrimaryTime
    tenant_revision: int
    uses: int = 0

    @classmethod
    def of(cls, entry: Entry, *, tenant_revision: int) -> "Slot":
        """The slot for an entry. `tenant_revision` equals the entry's, as an object that other slots share."""
        value = b"" if entry.value is None else encode_value(entry.value)
        return cls(
            value, entry.state, entry.revision, entry.read_at, entry.expires_at, entry.proven_at, tenant_revision
        )

    def entry(self, key: RouteKey) -> Entry:
        """The entry that the slot was made of."""
        value = decode_value(self.value) if self.value else None
        return Entry(
            key, self.state, value, self.revision, self.read_at, self.expires_at, self.proven_at, self.tenant_revision
        )  # fmt: skip

    def equals_entry(self, entry: Entry) -> bool:
        """Whether the slot was made of an equal entry. Both have the same key."""
        return (
            self.revision == entry.revision
            and self.expires_at == entry.expires_at
            and self.read_at == entry.read_at
            and self.proven_at == entry.proven_at
            and self.tenant_revision == entry.tenant_revision
            and self.state is entry.state
        )

    def body(self, parts: Sequence[bytes]) -> bytes:
        """The body of the answer for an active route of this tenant, service, env and version."""
        return body_of(parts, self.value, self.revision)


def path_of(key: RouteKey) -> bytes:
    """The key of a slot: `tenant/service/env/version`, as at the end of a request's path."""
    return f"{key.tenant}/{key.service}/{key.env}/{key.version}".encode()


def key_at(path: bytes) -> RouteKey:
    """The inverse of `path_of`."""
    return RouteKey(*path.decode().split("/"))
