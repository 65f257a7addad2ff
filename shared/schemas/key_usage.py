"""The records of the `access-key-usage` topic: the access keys that a process has accepted of late."""

from typing import Annotated, Literal

import msgspec

from shared.schemas.access import KeyId
from shared.schemas.events import UtcTime

MAX_KEYS = 10_000
"""Keys in one report; it is then about 150 KB."""


class KeyUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that one process accepted before `as_of` (its wall clock), and not long before: see KeyUsageReporter."""

    schema: Literal[1] = 1
    as_of: UtcTime
    keys: Annotated[tuple[KeyId, ...], msgspec.Meta(max_length=MAX_KEYS)]


class UndecodableKeyUsage(ValueError):
    """A record that this release cannot decode."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(KeyUsage)


def encode_usage(usage: KeyUsage) -> bytes:
    """The JSON value of the report on the topic."""
    return _encoder.encode(usage)


def decode_usage(value: bytes | None) -> KeyUsage:
    """The report in a record's value. Unknown fields are ignored. Raises UndecodableKeyUsage."""
    try:
        return _decoder.decode(value or b"")
    except (msgspec.DecodeError, RecursionError) as error:
        raise UndecodableKeyUsage(str(error)) from error
