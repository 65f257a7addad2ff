"""The key snapshot: a copy of the access keys on disk, for a start while Kafka is unavailable.

Like the topic, it holds hashes of secrets and never the secrets themselves.
"""

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from shared.runtime.atomic_file import replace_file
from shared.schemas.access import AccessRecord, KeyId
from shared.schemas.events import UtcTime

_WRITABLE_BY_OTHERS = 0o022


class KeySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All keys as of `as_of` (this host's wall clock), and the ids of keys that ended.

    `generation`: of the topic that they were read from; 0 when it had no completion record.
    """

    schema: Literal[1] = 1
    as_of: UtcTime
    records: tuple[AccessRecord, ...]
    ended: tuple[KeyId, ...] = ()
    generation: int = 0


class UnusableKeySnapshot(Exception):
    """The key snapshot is missing, damaged, or not trustworthy."""


class KeySnapshotFile:
    """One file, readable by its owner only: the SHA-256 of the content on the first line, followed by JSON."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, keys: KeySnapshot) -> None:
        """Replace the file in one step. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = msgspec.json.encode(keys)
        replace_file(self.path, _checksum(content) + b"\n" + content)

    def load(self) -> KeySnapshot:
        """The snapshot saved last. Raises UnusableKeySnapshot with the reason."""
        try:
            with self.path.open("rb") as file:
                self._refuse_untrusted(os.fstat(file.fileno()))
                checksum, _, content = file.read().partition(b"\n")
        except OSError as error:
            raise UnusableKeySnapshot(f"{self.path} cannot be read: {error.strerror}") from error
        if checksum != _checksum(content):
            raise UnusableKeySnapshot(f"{self.path} is damaged: its checksum does not match")
        try:
            return msgspec.json.decode(content, type=KeySnapshot)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnusableKeySnapshot(f"{self.path} is of another version: {error}") from error

    def _refuse_untrusted(self, status: os.stat_result) -> None:
        # A user who can write the file decides which callers are accepted.
        if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
            raise UnusableKeySnapshot(f"{self.path} is writable by others than this process's user")


def age_seconds(keys: KeySnapshot, now: datetime) -> float:
    """Seconds since the snapshot was complete, on this host's wall clock."""
    return max(0.0, (now - keys.as_of).total_seconds())


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
