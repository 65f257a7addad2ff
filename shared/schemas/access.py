"""The records of the `access-keys` topic, with which every service checks access keys by itself."""

import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from shared.schemas.events import Name, UtcTime

_SUBJECT_PATTERN = r"^[A-Za-z0-9@._+:/|-]{1,128}\Z"
SUBJECT_RULE = "must be 1 to 128 of A-Z a-z 0-9 @ . _ + : / | -"

_KEY_ID_PATTERN = r"^[0-9A-Za-z]{12}\Z"
KeyId = Annotated[str, msgspec.Meta(pattern=_KEY_ID_PATTERN)]
Subject = Annotated[str, msgspec.Meta(pattern=_SUBJECT_PATTERN)]
SecretHash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Role(StrEnum):
    """The role of a caller. `admin` is a role of the platform; every other role belongs to one tenant."""

    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    RESOLVER = "resolver"


class LiveSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of a key, as its SHA-256 hash in hexadecimal. `until`: the secret's end, when it is before the key's."""

    sha256: SecretHash
    until: UtcTime | None = None


class AccessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A valid key. `version` grows by one with each change of the key, so that readers can skip older records.

    Raises msgspec.ValidationError when decoded, and ValueError when built, for an admin with a tenant and for another
    role without one.
    """

    schema: Literal[1] = 1
    key_id: KeyId
    version: Annotated[int, msgspec.Meta(ge=1)]
    subject: Subject
    role: Role
    tenant: Name | None = None
    expires_at: UtcTime | None = None
    secrets: Annotated[tuple[LiveSecret, ...], msgspec.Meta(min_length=1, max_length=2)]
    has_completion: bool = False
    """Whether the writer of this record also writes completion records: without one, the topic is not complete."""

    def __post_init__(self) -> None:
        if (self.role is Role.ADMIN) != (self.tenant is None):
            raise ValueError("an admin has no tenant, and every other role has one")


class KeysComplete(msgspec.Struct, frozen=True, kw_only=True):
    """The completion record: the topic had a record of every one of the `keys` valid keys at `as_of` (primary's time).

    `generation` grows with each topic that is made anew, and by an operator's command.
    """

    schema: Literal[1] = 1
    generation: Annotated[int, msgspec.Meta(ge=1)]
    keys: Annotated[int, msgspec.Meta(ge=0)]
    as_of: UtcTime


COMPLETION_KEY = b"complete"
"""Record key of the completion record. It cannot be a key's id; older readers log that they skip the record."""


class UndecodableAccessRecord(ValueError):
    """A record that this release cannot decode."""


def is_key_id(text: str) -> bool:
    """Whether the text has the form of a key's id: 12 of A-Z a-z 0-9."""
    return re.match(_KEY_ID_PATTERN, text) is not None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AccessRecord)
_completion_decoder = msgspec.json.Decoder(KeysComplete)


def encode(record: AccessRecord | KeysComplete) -> bytes:
    """The JSON value of the record, which the topic holds under the key's id; a null value there ends the key."""
    return _encoder.encode(record)


def decode(key: bytes | None, value: bytes) -> AccessRecord:
    """The record in a value with this record key. Unknown fields are ignored. Raises UndecodableAccessRecord."""
    try:
        record = _decoder.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UndecodableAccessRecord(str(error)) from error
    if key != record.key_id.encode():
        raise UndecodableAccessRecord(f"the record of access key {record.key_id} has the record key {key!r}")
    return record


def decode_completion(value: bytes) -> KeysComplete:
    """The completion record in a value. Unknown fields are ignored. Raises UndecodableAccessRecord."""
    try:
        return _completion_decoder.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UndecodableAccessRecord(str(error)) from error
