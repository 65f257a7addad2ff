"""The access keys on this machine's disk, for a start while Kafka is away. It has the hashes of secrets, as the topic has."""

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from shared.schemas.access import AccessRecord, KeyId
from shared.schemas.events import UtcTime

_OTHERS_MAY_WRITE = 0o022


class KeySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All keys as they were at `as_of`, and the ids of some that had ended."""

    schema: Literal[1] = 1
    as_of: UtcTime
    records: tuple[AccessRecord, ...]
    ended: tuple[KeyId, ...] = ()


class UnusableCopy(Exception):
    """There is no copy, or none that is to be believed."""


class KeySnapshotFile:
    """One file: the SHA-256 of what follows on the first line, and then JSON. Only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, keys: KeySnapshot) -> None:
        """Replace the copy in one step. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = msgspec.json.encode(keys)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_checksum(content) + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def load(self) -> KeySnapshot:
        """The copy that was saved last. Raises UnusableCopy, saying why."""
        try:
            with self.path.open("rb") as file:
                self._refuse_others(os.fstat(file.fileno()))
                checksum, _, content = file.read().partition(b"\n")
        except OSError as error:
            raise UnusableCopy(f"{self.path} cannot be read: {error.strerror}") from error
        if checksum != _checksum(content):
            raise UnusableCopy(f"{self.path} is damaged: its checksum is another one")
        try:
            return msgspec.json.decode(content, type=KeySnapshot)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnusableCopy(f"{self.path} is of another version: {error}") from error

    def _refuse_others(self, status: os.stat_result) -> None:
        # Whoever can write it decides who is let in.
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_MAY_WRITE:
            raise UnusableCopy(f"{self.path} could have been written by others than this process's user")


def age_of(keys: KeySnapshot, now: datetime) -> float:
    """Seconds since the copy was complete, on this host's clock."""
    return max(0.0, (now - keys.as_of).total_seconds())


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
