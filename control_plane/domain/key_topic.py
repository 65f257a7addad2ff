"""What the `access-keys` topic holds, compared with the keys in PostgreSQL."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.schemas.access import KeysComplete


@dataclass(slots=True)
class KeyTopicContents:
    """The topic as a reader finds it. `live`: the version of each key that has a record."""

    live: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    completion: KeysComplete | None = None
    has_revived: bool = False
    """Whether a record of a key came after the one that ended it, since this was last set to False."""

    def put(self, key_id: str, version: int) -> None:
        """A record of the key was read; version 0: it cannot be decoded."""
        self.has_revived = self.has_revived or key_id in self.ended
        self.ended.discard(key_id)
        self.live[key_id] = version

    def end(self, key_id: str) -> None:
        """The record that ends the key was read."""
        self.live.pop(key_id, None)
        self.ended.add(key_id)


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A key in PostgreSQL. `is_expired`: it has expired without being revoked; readers see that by themselves."""

    key_id: str
    version: int
    is_revoked: bool
    is_expired: bool


@dataclass(frozen=True, slots=True)
class KeyTopicState:
    """The topic's generation in PostgreSQL; 0 before the first. `is_requested`: an operator asked for the next one."""

    generation: int
    is_requested: bool

    def next_generation(self, found: int | None, *, is_written: bool) -> int:
        """The generation of a topic that is complete now.

        `found`: that of its completion record. A topic that lost its record was made anew, unless `is_written`: the
        record was written and has not arrived yet.
        """
        if self.is_requested:
            return max(self.generation, found or 0) + 1
        return self.generation + 1 if found is None and not is_written else self.generation


@dataclass(slots=True)
class KeyDifferences:
    """The keys whose records in the topic are not those of PostgreSQL."""

    valid: int = 0
    """The number of valid keys in PostgreSQL."""
    outdated: list[str] = field(default_factory=list)
    """Keys to send again: valid ones without their newest record, and revoked ones that have a record."""
    unknown: set[str] = field(default_factory=set)
    """Keys that PostgreSQL does not have."""

    @classmethod
    def begin(cls, contents: KeyTopicContents) -> "KeyDifferences":
        """A comparison with no key in PostgreSQL; `add` those that there are."""
        return cls(unknown=set(contents.live))

    def add(self, stored: Iterable[KeyVersion], contents: KeyTopicContents) -> None:
        """Compare these keys, too."""
        for key in stored:
            found = contents.live.get(key.key_id)
            self.unknown.discard(key.key_id)
            is_valid = not key.is_revoked and not key.is_expired
            self.valid += is_valid
            if (key.is_revoked and found is not None) or (is_valid and found != key.version):
                self.outdated.append(key.key_id)
