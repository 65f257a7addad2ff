"""A copy of the keys on disk: what is believed of it, and what a service that starts with it accepts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.runtime.access.key_snapshot_fallback import RENEW_SECONDS, KeySnapshotFallback
from shared.runtime.access.key_snapshot_file import KeySnapshot, KeySnapshotFile, UnusableKeySnapshot
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.runtime.health import DependencyHealth
from shared.schemas.access import Role
from tests.support.access import AccessFixture, a_record
from tests.support.clocks import MovableClock

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def copy(tmp_path: Path) -> KeySnapshotFile:
    return KeySnapshotFile(tmp_path / "access" / "keys")


def a_fallback(gate: AccessFixture, copy: KeySnapshotFile) -> tuple[KeySnapshotFallback, DependencyHealth]:
    health = DependencyHealth(required=True, up=False)
    return KeySnapshotFallback(copy, gate.keyring, health=health, clock=gate.clock), health


def unloaded() -> AccessFixture:
    """A gate whose keys were never heard."""
    return AccessFixture(loaded=False)


def test_what_was_saved_is_loaded_again(copy: KeySnapshotFile) -> None:
    saved = KeySnapshot(as_of=AS_OF, records=(a_record(AccessKey.new()),), ended=("7jP2s9Xw4KbM",))
    copy.save(saved)
    assert copy.load() == saved


def test_only_its_owner_may_read_it_and_no_secret_is_in_it(copy: KeySnapshotFile) -> None:
    key = AccessKey.new()
    copy.save(KeySnapshot(as_of=AS_OF, records=(a_record(key),)))
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert key.secret not in copy.path.read_text()
    assert [each.name for each in copy.path.parent.iterdir()] == ["keys"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content.replace(b"viewer", b"editor"),
        lambda content: b"\x00" * len(content),
        lambda content: b"not a copy\n{}",
    ],
)
def test_a_damaged_copy_is_refused(copy: KeySnapshotFile, spoil: Callable[[bytes], bytes]) -> None:
    copy.save(KeySnapshot(as_of=AS_OF, records=(a_record(AccessKey.new()),)))
    copy.path.write_bytes(spoil(copy.path.read_bytes()))
    with pytest.raises(UnusableKeySnapshot, match="damaged"):
        copy.load()


def test_a_missing_copy_and_one_that_others_may_write_are_refused(copy: KeySnapshotFile) -> None:
    with pytest.raises(UnusableKeySnapshot, match="cannot be read"):
        copy.load()
    copy.save(KeySnapshot(as_of=AS_OF, records=()))
    copy.path.chmod(0o622)
    with pytest.raises(UnusableKeySnapshot, match="others"):
        copy.load()


async def test_a_service_that_starts_with_the_copy_knows_its_keys_and_how_old_they_are(copy: KeySnapshotFile) -> None:
    before, revoked, expired = AccessFixture(), AccessKey.new(), AccessKey.new()
    known = before.admit(Role.RESOLVER)
    before.keyring.end(revoked.key_id)
    before.keyring.put(a_record(expired, expires_at=before.clock.now() + timedelta(minutes=1)))
    await a_fallback(before, copy)[0].renew_snapshot()

    after = unloaded()
    assert isinstance(after.clock, MovableClock)
    after.clock.advance(300)
    fallback, health = a_fallback(after, copy)
    assert after.check(known) is Refusal.UNKNOWN
    await fallback.start_from_snapshot()
    assert health.up
    assert isinstance(after.check(known), Principal)
    assert after.check(revoked) is Refusal.REVOKED
    assert after.check(expired) is Refusal.EXPIRED
    assert after.check(AccessKey.new()) is Refusal.UNKNOWN
    assert after.keyring.age() == 300


async def test_the_copy_is_not_taken_once_the_topic_was_read(copy: KeySnapshotFile) -> None:
    before = AccessFixture()
    gone = before.admit(Role.VIEWER)
    await a_fallback(before, copy)[0].renew_snapshot()
    after = AccessFixture()
    await a_fallback(after, copy)[0].start_from_snapshot()
    assert after.check(gone) is Refusal.INVALID


async def test_without_a_usable_copy_the_service_waits_for_the_topic(copy: KeySnapshotFile) -> None:
    gate = unloaded()
    fallback, health = a_fallback(gate, copy)
    assert fallback.is_untried
    await fallback.start_from_snapshot()
    assert not fallback.is_untried
    assert health.up is False
    assert gate.check(AccessKey.new()) is Refusal.UNKNOWN


async def test_the_copy_is_renewed_when_a_key_changes_and_once_a_minute(copy: KeySnapshotFile) -> None:
    gate = AccessFixture()
    assert isinstance(gate.clock, MovableClock)
    fallback, _ = a_fallback(gate, copy)
    await fallback.renew_snapshot()
    first = copy.load()
    gate.clock.advance(RENEW_SECONDS / 2)
    await fallback.renew_snapshot()
    assert copy.load() == first
    key = gate.admit(Role.VIEWER)
    await fallback.renew_snapshot()
    assert [each.key_id for each in copy.load().records] == [key.key_id]
    gate.clock.advance(RENEW_SECONDS)
    await fallback.renew_snapshot()
    assert copy.load().as_of == gate.clock.now()


async def test_a_copy_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fallback, _ = a_fallback(AccessFixture(), KeySnapshotFile(tmp_path / "file" / "keys"))
    await fallback.renew_snapshot()
