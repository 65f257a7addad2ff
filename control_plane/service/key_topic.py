"""Keeps the `access-keys` topic equal to PostgreSQL: reads it back, sends again what differs, and says when it is complete."""

from collections.abc import MutableMapping

import structlog

from control_plane.domain.key_topic import KeyDifferences, KeyTopicState
from control_plane.ports.key_topic import KeyPublications, KeyTopic, KeyTopicReading
from shared.runtime.clock import Clock

READ_BACK_SECONDS = 3600.0
"""Time between two readings of the topic from its beginning."""
CHECK_SECONDS = 2.0
"""Pause before the topic is looked at again: also the time that records need to arrive there."""
LONGEST_PAUSE_SECONDS = 60.0
_KEYS_AT_ONCE = 1_000
_UNKNOWN_LOGGED = 10
_NOTE = "access_key_topic"

_log = structlog.get_logger(__name__)


class KeyTopicKeeper:
    """Runs in the process whose relay leads.

    The completion record is written only after a reading of the topic has shown no difference, so that a topic which has it
    has every key. Keys that PostgreSQL does not have are reported, and ended only by the operator's `republish-keys`: they
    may be those of another database.
    """

    def __init__(
        self,
        topic: KeyTopic,
        publications: KeyPublications,
        *,
        clock: Clock,
        notes: MutableMapping[str, str],
        read_back_seconds: float = READ_BACK_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._topic = topic
        self._publications = publications
        self._clock = clock
        self._notes = notes
        self._read_back_seconds = read_back_seconds
        self._check_seconds = check_seconds

    async def run(self) -> None:
        """Keep the topic until its next reading from the beginning is due; to be run again.

        Raises Interrupted and DependencyUnavailable.
        """
        async with self._topic.read() as reading:
            correction = _Correction(self._publications, reading, self._notes)
            next_reading_at = self._clock.monotonic() + self._read_back_seconds
            check_at: float = self._clock.monotonic()
            pause = self._check_seconds / 2
            while self._clock.monotonic() < next_reading_at:
                if self._clock.monotonic() >= check_at:
                    is_settled = await correction.step()
                    pause = self._check_seconds if is_settled else min(2 * pause, LONGEST_PAUSE_SECONDS)
                    check_at = self._clock.monotonic() + pause
                await reading.poll()


class _Correction:
    """The corrections of one reading of the topic."""

    def __init__(
        self, publications: KeyPublications, reading: KeyTopicReading, notes: MutableMapping[str, str]
    ) -> None:
        self._publications = publications
        self._reading = reading
        self._notes = notes
        self._is_settled = False
        self._written: int | None = None
        """The generation of the completion record that was written during this reading."""

    async def step(self) -> bool:
        """Compare and correct, if there is reason to. Returns whether nothing is left to do."""
        state, contents = await self._publications.state(), self._reading.contents
        found = contents.completion.generation if contents.completion else None
        if found is not None and found > state.generation and not state.is_requested:
            self._report_newer(found, state.generation)
            return True
        is_current = found == state.generation and not state.is_requested and not contents.has_revived
        if self._is_settled and is_current:
            return True
        contents.has_revived = False
        differences = await self._compare()
        self._is_settled = not await self._correct(differences, state)
        if self._is_settled and not (is_current and self._written == found):
            await self._complete(state.next_generation(found, is_written=self._written is not None), differences)
            return False
        return self._is_settled

    async def _compare(self) -> KeyDifferences:
        differences, last = KeyDifferences.begin(self._reading.contents), ""
        while stored := await self._publications.versions(last, _KEYS_AT_ONCE):
            differences.add(stored, self._reading.contents)
            last = stored[-1].key_id
        return differences

    async def _correct(self, differences: KeyDifferences, state: KeyTopicState) -> bool:
        """Send what differs. Returns whether anything was sent."""
        if differences.outdated:
            await self._publications.send(differences.outdated)
            _log.warning(
                "records of access keys sent again: the topic differed from the database",
                keys=len(differences.outdated),
                valid=differences.valid,
            )
        if differences.unknown and state.is_requested:
            await self._publications.end_unknown(differences.unknown)
            _log.warning("access keys ended that the database does not have", keys=len(differences.unknown))
        elif differences.unknown:
            self._report_unknown(differences.unknown)
        return bool(differences.outdated or (differences.unknown and state.is_requested))

    async def _complete(self, generation: int, differences: KeyDifferences) -> None:
        await self._publications.complete(generation, differences.valid)
        self._written = generation
        self._notes.pop(_NOTE, None)
        _log.info("the topic of access keys is complete", generation=generation, keys=differences.valid)

    def _report_newer(self, found: int, known: int) -> None:
        why = (
            f"the topic of access keys has generation {found} and this database {known}: the database was restored, or it "
            "is another one. Nothing is corrected. If it is the right one, run `python -m control_plane republish-keys`"
        )
        if self._notes.get(_NOTE) != why:
            _log.error("the topic of access keys is not corrected", why=why)
            self._notes[_NOTE] = why

    def _report_unknown(self, key_ids: set[str]) -> None:
        _log.error(
            "services accept access keys that the database does not have: it was restored, or the topic is shared. "
            "If it is the right one, end them with `python -m control_plane republish-keys`",
            keys=len(key_ids),
            first=sorted(key_ids)[:_UNKNOWN_LOGGED],
        )
