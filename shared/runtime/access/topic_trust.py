"""Decides whether the `access-keys` topic, as read from its beginning, holds every key."""

from shared.schemas.access import KeysComplete
from shared.schemas.topics import ACCESS_KEYS

_REMEDY = (
    "Keys stay as they are. A running control plane sends every key again by itself; if it does not, run "
    "`python -m control_plane republish-keys`"
)


class TopicTrust:
    """Remembers the newest generation of the topic, and what the topic has shown since its beginning was read.

    The topic is complete when its completion record is of that generation or a newer one. As long as this process knows of
    no generation, a topic with records but without a completion record is complete too, because control planes of older
    releases write none; unless a record of a key says that its writer does.
    """

    def __init__(self) -> None:
        self.generation = 0
        """The newest generation that this process knows; 0 before it knows any."""
        self._found: int | None = None
        self._has_records = False
        self._expects_completion = False

    def restart(self, known_generation: int, *, has_records: bool) -> None:
        """The topic is read from its beginning. `known_generation`: of the key snapshot."""
        self.generation = max(self.generation, known_generation)
        self._found = None
        self._has_records = has_records
        self._expects_completion = False

    def note_completion(self, record: KeysComplete) -> None:
        """The completion record was read."""
        self._found = record.generation

    def note_writer(self, *, has_completion: bool) -> None:
        """A record of a key was read, whose writer writes completion records or does not."""
        self._has_records = True
        self._expects_completion = self._expects_completion or has_completion

    @property
    def is_renewed(self) -> bool:
        """Whether the topic has another generation than the one adopted: it may have been made anew in the meantime."""
        return self._found is not None and self._found != self.generation

    def doubt(self) -> str | None:
        """Why the topic may lack keys, and what to do, for every caller to see; None when it is complete."""
        if self._found is not None:
            is_older = self._found < self.generation
            return _explain(f"its generation is {self._found}, after {self.generation}") if is_older else None
        if self.generation:
            return _explain("it was lost and is new, or not all keys have been sent again yet")
        if self._expects_completion:
            return _explain("it is new, and not all keys have been sent yet")
        return None if self._has_records else _explain("it is new and empty, or it was lost")

    def adopt(self) -> None:
        """Take over the generation of the topic, which is complete."""
        self.generation = max(self.generation, self._found or 0)


def _explain(reason: str) -> str:
    return f"the topic {ACCESS_KEYS.name} is not complete: {reason}. {_REMEDY}"
