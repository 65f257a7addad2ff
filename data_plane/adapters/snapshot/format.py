"""The binary format of a snapshot.

    magic                 14 bytes; identifies the file, and shows if a transfer as text has changed it
    version               2 bytes
    frames                4 bytes of length, then that many bytes of MessagePack: the head first, then lists of routes
    end                   a frame of length 0
    SHA-256               32 bytes, of everything before

Numbers are big-endian. A file with one wrong bit, or without its end, is refused as a whole.
"""

import hashlib
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from data_plane.domain.entry import State
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime, RoundTrip
from data_plane.domain.route_encoding import STORED_FORMAT, from_text, to_text
from data_plane.domain.snapshot import HostTime, KeptRoute, Snapshot, SnapshotHead
from data_plane.errors import SnapshotRefused
from shared.runtime.clock import BootTime
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput

MAGIC = b"TM-SNAPSHOT\r\n\x1a"
VERSION = 2 + ((STORED_FORMAT - 1) << 8)
"""The low byte counts the formats of a snapshot, the high byte those of the values in it."""
END = struct.pack(">I", 0)
DIGEST_BYTES = 32

_VERSION_AT = len(MAGIC)
_FRAMES_AT = _VERSION_AT + 2
_Number = Annotated[int, msgspec.Meta(ge=0)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]
_Seconds = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]


class _Head(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """`boot`, `up_for` and `primary` are those of a HostTime; `primary` holds sent, received, remote."""

    written_at_ms: _Number
    offsets: dict[_Number, _Number]
    revisions: dict[str, _Number]
    boot: str
    up_for: _Seconds
    primary: tuple[_Seconds, _Seconds, _Seconds] | None


class _Route(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """`value`: as text, empty for a tombstone. `read_at_ms`, `expires_at_ms`: on the host's clock. `proven_at_ms`: on
    the primary's, 0 if unknown.
    """

    tenant: str
    service: str
    env: str
    version: str
    value: str
    revision: _Number
    read_at_ms: _Milliseconds
    expires_at_ms: _Milliseconds
    proven_at_ms: _Number
    tenant_revision: _Number


_encoder = msgspec.msgpack.Encoder()
_heads = msgspec.msgpack.Decoder(_Head)
_routes = msgspec.msgpack.Decoder(list[_Route])


def encode_head(head: SnapshotHead) -> bytes:
    """The beginning of a snapshot."""
    host, trip = head.host, head.host.primary
    body = _Head(
        math.floor(head.written_at * 1000),
        dict(head.offsets),
        dict(head.revisions),
        host.boot,
        host.up_for,
        None if trip is None else (trip.sent, trip.received, trip.remote),
    )
    return MAGIC + struct.pack(">H", VERSION) + _frame(_encoder.encode(body))


def encode_routes(routes: Sequence[KeptRoute]) -> bytes:
    """A frame of routes."""
    return _frame(_encoder.encode([_pack_route(each) for each in routes]))


def parse(content: bytes) -> Snapshot:
    """The snapshot in the content of a file. Raises SnapshotRefused, with the reason."""
    if not content.startswith(MAGIC):
        raise SnapshotRefused("truncated" if MAGIC.startswith(content) else "this is not a snapshot of a resolver")
    if len(content) < _FRAMES_AT + DIGEST_BYTES:
        raise SnapshotRefused("truncated")
    [version] = struct.unpack_from(">H", content, _VERSION_AT)
    if version != VERSION:
        raise SnapshotRefused(f"its format is version {version}, and this release reads version {VERSION}")
    body = memoryview(content)[:-DIGEST_BYTES]
    if hashlib.sha256(body).digest() != content[-DIGEST_BYTES:]:
        raise SnapshotRefused("its checksum is wrong: it is truncated or corrupt")
    return _parse_frames(body)


def _parse_frames(body: memoryview) -> Snapshot:
    frames = _frames(body)
    try:
        head = _heads.decode(next(frames))
        routes = [_unpack_route(route) for frame in frames for route in _routes.decode(frame)]
    except (msgspec.DecodeError, InvalidInput, ValueError, StopIteration) as error:
        raise SnapshotRefused(f"its content is wrong: {type(error).__name__}: {error}"[:300]) from error
    return Snapshot(_unpack_head(head), routes)


def _frames(body: memoryview) -> Iterator[memoryview]:
    at = _FRAMES_AT
    while (length := _length(body, at)) > 0:
        yield body[at + 4 : at + 4 + length]
        at += 4 + length
    if at + 4 != len(body):
        raise ValueError("there are bytes after the end")


def _length(body: memoryview, at: int) -> int:
    if at + 4 > len(body):
        raise ValueError("the end is missing")
    return int.from_bytes(body[at : at + 4], "big")


def _frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def _unpack_head(head: _Head) -> SnapshotHead:
    primary = None
    if head.primary is not None:
        sent, received, remote = head.primary
        primary = RoundTrip(BootTime(sent), BootTime(received), PrimaryTime(remote))
    host = HostTime(head.boot, BootTime(head.up_for), primary)
    return SnapshotHead(head.written_at_ms / 1000, head.offsets, head.revisions, host)


def _pack_route(route: KeptRoute) -> _Route:
    key = route.key
    return _Route(
        key.tenant,
        key.service,
        key.env,
        key.version,
        to_text(route.value),
        route.revision,
        math.floor(route.read_at * 1000),
        math.floor(route.expires_at * 1000),
        _milliseconds(route.proven_at),
        route.tenant_revision,
    )


def _unpack_route(route: _Route) -> KeptRoute:
    return KeptRoute(
        RouteKey(route.tenant, route.service, route.env, route.version),
        State.ACTIVE if route.value else State.INACTIVE,
        from_text(route.value),
        route.revision,
        BootTime(route.read_at_ms / 1000),
        BootTime(route.expires_at_ms / 1000),
        _seconds(route.proven_at_ms),
        route.tenant_revision,
    )


def _milliseconds(seconds: float) -> int:
    return math.floor(seconds * 1000) if seconds > 0 and math.isfinite(seconds) else 0


def _seconds(milliseconds: int) -> PrimaryTime:
    return PrimaryTime(milliseconds / 1000) if milliseconds else UNPROVEN
