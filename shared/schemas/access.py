"""The records of the `access-keys` topic: what each service must know of a key to check it without asking anybody."""

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
    """What a caller may do. `admin` is the platform's; the others are bound to one tenant."""

    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    RESOLVER = "resolver"


class LiveSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of a key, as SHA-256 in hexadecimal; `until` is when it ends before the key does."""

    sha256: SecretHash
    until: UtcTime | None = None


class AccessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key that may be used. `version` grows by one with each change of the key, so that older news is told apart.

    Raises msgspec.ValidationError when decoded, and ValueError when built, for a role and tenant that do not go
    together.
    """

    schema: Literal[1] = 1
    key_id: KeyId
    version: Annotated[int, msgspec.Meta(ge=1)]
    subject: Subject
    role: Role
    tenant: Name | None = None
    expires_at: UtcTime | None = None
    secrets: Annotated[tuple[LiveSecret, ...], msgspec.Meta(min_length=1, max_length=2)]

    def __post_init__(self) -> None:
        if (self.role is Role.ADMIN) != (self.tenant is None):
            raise ValueError("an admin has no tenant, and every other role has one")


class UndecodableAccessRecord(ValueError):
    """A record that this version does not understand."""


def is_key_id(text: str) -> bool:
    """Whether this can be a key's id: 12 of A-Z a-z 0-9."""
    return re.match(_KEY_ID_PATTERN, text) is not None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AccessRecord)


def encode(record: AccessRecord) -> bytes:
    """The record as the JSON bytes that go on the topic, under the key's id. A key that ends is a null value."""
    return _encoder.encode(record)


def decode(key: bytes | None, value: bytes) -> AccessRecord:
    """The record in a value that stands under this key. Unknown fields are ignored. Raises UndecodableAccessRecord."""
    try:
        record = _decoder.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UndecodableAccessRecord(str(error)) from error
    if key != record.key_id.encode():
        raise UndecodableAccessRecord(f"the record of key {record.key_id} stands under another one's id")
    return record
