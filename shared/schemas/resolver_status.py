"""The records of the `resolver-status` topic: the applied offsets of each resolver process, under its name."""

from typing import Annotated, Literal

import msgspec

from shared.schemas.events import MalformedEvent, UndecodableEvent, UnsupportedSchema, UtcTime

REPORT_SECONDS = 5.0
"""Longest pause between two reports of a resolver process."""
GONE_SECONDS = 15.0
"""A resolver process without a report for this long counts as gone: three reports are missing."""


class PartitionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a process has applied one partition of `route-events`.

    `next_offset` is that of the first record not yet applied; `as_of` is the last applied heartbeat's, the primary's time.
    """

    partition: Annotated[int, msgspec.Meta(ge=0)]
    next_offset: Annotated[int, msgspec.Meta(ge=0)]
    as_of: UtcTime | None = None


class ResolverStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one resolver process. Without partitions, the process does not follow events yet."""

    schema: Literal[1] = 1
    instance: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    version: str
    started_at: UtcTime
    partitions: tuple[PartitionStatus, ...]


class _Envelope(msgspec.Struct):
    schema: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ResolverStatus)
_envelope_decoder = msgspec.json.Decoder(_Envelope)


def encode_status(status: ResolverStatus) -> bytes:
    """The JSON value of the status on the topic."""
    return _encoder.encode(status)


def decode_status(value: bytes) -> ResolverStatus:
    """The status in a record's value. Unknown fields are ignored. Raises UnsupportedSchema or MalformedEvent."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise _explain(value, error) from error
    except RecursionError as error:
        raise MalformedEvent("nested too deeply to be a status") from error


def _explain(value: bytes, error: msgspec.DecodeError) -> UndecodableEvent:
    try:
        schema = _envelope_decoder.decode(value).schema
    except msgspec.DecodeError:
        return MalformedEvent(str(error))
    return MalformedEvent(str(error)) if schema == 1 else UnsupportedSchema(f"schema {schema}; this release reads 1")
