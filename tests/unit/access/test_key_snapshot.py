"""The key snapshot on disk, and starts from it."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.runtime.access.key_snapshot_fallback import RENEW_SECONDS, KeySnapshotFallback, SnapshotAgeLimits
from shared.runtime.access.key_snapshot_file import KeySnapshot, KeySnapshotFile, UnusableKeySnapshot
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.runtime.health import DependencyHealth
from shared.schemas.access import Role
from tests.support.access import AccessFixture, a_record
from tests.support.clocks import MovableClock

DAY = 24 * 3600.0
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def snapshot(tmp_path: Path) -> KeySnapshotFile:
    return KeySnapshotFile(tmp_path / "access" / "keys")


def a_fallback(access: AccessFixture, snapshot: KeySnapshotFile) -> tuple[KeySnapshotFallback, DependencyHealth]:
    health = DependencyHealth(required=True, up=False)
    limits = SnapshotAgeLimits(all_seconds=7 * DAY, privileged_seconds=DAY)
    return KeySnapshotFallback(snapshot, access.keyring, age_limits=limits, health=health, clock=access.clock), health


def unloaded() -> AccessFixture:
    """Access control without any keys loaded."""
    return AccessFixture(loaded=False)


def test_saved_snapshot_is_loaded_again(snapshot: KeySnapshotFile) -> None:
    saved = KeySnapshot(as_of=AS_OF, records=(a_record(AccessKey.new()),), ended=("7jP2s9Xw4KbM",))
    snapshot.save(saved)
    assert snapshot.load() == saved


def test_only_the_owner_may_read_the_snapshot_and_it_contains_no_secret(snapshot: KeySnapshotFile) -> None:
    key = AccessKey.new()
    snapshot.save(KeySnapshot(as_of=AS_OF, records=(a_record(key),)))
    assert snapshot.path.stat().st_mode & 0o777 == 0o600
    assert key.secret not in snapshot.path.read_text()
    assert [each.name for each in snapshot.path.parent.iterdir()] == ["keys"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content.replace(b"viewer", b"editor"),
        lambda content: b"\x00" * len(content),
        lambda content: b"not a snapshot\n{}",
    ],
)
def test_damaged_snapshot_is_refused(snapshot: KeySnapshotFile, spoil: Callable[[bytes], bytes]) -> None:
    snapshot.save(KeySnapshot(as_of=AS_OF, records=(a_record(AccessKey.new()),)))
    snapshot.path.write_bytes(spoil(snapshot.path.read_bytes()))
    with pytest.raises(UnusableKeySnapshot, match="damaged"):
        snapshot.load()


def test_missing_snapshot_and_one_writable_by_others_are_refused(snapshot: KeySnapshotFile) -> None:
    with pytest.raises(UnusableKeySnapshot, match="cannot be read"):
        snapshot.load()
    snapshot.save(KeySnapshot(as_of=AS_OF, records=()))
    snapshot.path.chmod(0o622)
    with pytest.raises(UnusableKeySnapshot, match="others"):
        snapshot.load()


async def test_start_from_the_snapshot_has_its_keys_and_their_age(snapshot: KeySnapshotFile) -> None:
    before, revoked, expired = AccessFixture(), AccessKey.new(), AccessKey.new()
    known = before.admit(Role.RESOLVER)
    before.keyring.end(revoked.key_id)
    before.keyring.put(a_record(expired, expires_at=before.clock.now() + timedelta(minutes=1)))
    await a_fallback(before, snapshot)[0].renew_snapshot(0)

    after = unloaded()
    assert isinstance(after.clock, MovableClock)
    after.clock.advance(300)
    fallback, health = a_fallback(after, snapshot)
    assert after.check(known) is Refusal.UNKNOWN
    await fallback.start_from_snapshot()
    assert health.up
    assert isinstance(after.check(known), Principal)
    assert after.check(revoked) is Refusal.REVOKED
    assert after.check(expired) is Refusal.EXPIRED
    assert after.check(AccessKey.new()) is Refusal.UNKNOWN
    assert after.keyring.age_seconds() == 300


@pytest.mark.parametrize(
    ("age_seconds", "accepted"),
    [
        (DAY, {Role.RESOLVER, Role.VIEWER, Role.EDITOR, Role.ADMIN}),
        (DAY + 1, {Role.RESOLVER, Role.VIEWER}),
        (7 * DAY, {Role.RESOLVER, Role.VIEWER}),
        (7 * DAY + 1, set()),
    ],
)
async def test_keys_of_an_old_snapshot_are_refused_and_those_that_can_change_something_first(
    snapshot: KeySnapshotFile, age_seconds: float, accepted: set[Role]
) -> None:
    before = AccessFixture()
    keys = {role: before.admit(role) for role in Role}
    await a_fallback(before, snapshot)[0].renew_snapshot(0)
    after = unloaded()
    assert isinstance(after.clock, MovableClock)
    after.clock.advance(age_seconds)
    fallback, health = a_fallback(after, snapshot)
    await fallback.start_from_snapshot()
    assert {role for role, key in keys.items() if isinstance(after.check(key), Principal)} == accepted
    assert bool(health.up) is bool(accepted)


async def test_snapshot_is_not_loaded_after_the_topic_was_read(snapshot: KeySnapshotFile) -> None:
    before = AccessFixture()
    gone = before.admit(Role.VIEWER)
    await a_fallback(before, snapshot)[0].renew_snapshot(0)
    after = AccessFixture()
    await a_fallback(after, snapshot)[0].start_from_snapshot()
    assert after.check(gone) is Refusal.INVALID


async def test_service_without_a_usable_snapshot_waits_for_the_topic(snapshot: KeySnapshotFile) -> None:
    access = unloaded()
    fallback, health = a_fallback(access, snapshot)
    assert fallback.is_untried
    await fallback.start_from_snapshot()
    assert not fallback.is_untried
    assert health.up is False
    assert access.check(AccessKey.new()) is Refusal.UNKNOWN


async def test_snapshot_is_renewed_when_a_key_changes_and_once_a_minute(snapshot: KeySnapshotFile) -> None:
    access = AccessFixture()
    assert isinstance(access.clock, MovableClock)
    fallback, _ = a_fallback(access, snapshot)
    await fallback.renew_snapshot(0)
    first = snapshot.load()
    access.clock.advance(RENEW_SECONDS / 2)
    await fallback.renew_snapshot(0)
    assert snapshot.load() == first
    key = access.admit(Role.VIEWER)
    await fallback.renew_snapshot(0)
    assert [each.key_id for each in snapshot.load().records] == [key.key_id]
    access.clock.advance(RENEW_SECONDS)
    await fallback.renew_snapshot(0)
    assert snapshot.load().as_of == access.clock.now()


async def test_snapshot_has_the_generation_of_the_topic(snapshot: KeySnapshotFile) -> None:
    access = AccessFixture()
    fallback, _ = a_fallback(access, snapshot)
    assert await fallback.known_generation() == 0
    await fallback.renew_snapshot(1)
    await fallback.renew_snapshot(2)
    assert await a_fallback(unloaded(), snapshot)[0].known_generation() == 2


def test_snapshot_of_an_older_release_has_no_generation(snapshot: KeySnapshotFile) -> None:
    snapshot.save(KeySnapshot(as_of=AS_OF, records=(), generation=7))
    content = snapshot.path.read_bytes().partition(b"\n")[2].replace(b',"generation":7', b"")
    snapshot.path.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    assert snapshot.load().generation == 0


async def test_failed_write_of_the_snapshot_does_not_stop_the_service(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fallback, _ = a_fallback(AccessFixture(), KeySnapshotFile(tmp_path / "file" / "keys"))
    await fallback.renew_snapshot(0)


def test_failed_write_of_the_snapshot_leaves_no_part_of_a_file(snapshot: KeySnapshotFile) -> None:
    snapshot.path.mkdir(parents=True)  # in the way of the file that is to replace it
    with pytest.raises(OSError, match="directory"):
        snapshot.save(KeySnapshot(as_of=AS_OF, records=()))
    assert [each.name for each in snapshot.path.parent.iterdir()] == [snapshot.path.name]
