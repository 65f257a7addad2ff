"""Authentication by access key."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from shared.runtime.access.authenticator import CACHE_SIZE, MAX_CREDENTIAL_BYTES
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import LiveSecret, Role
from tests.support.access import AccessFixture, a_record
from tests.support.clocks import MovableClock


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def access(clock: MovableClock) -> AccessFixture:
    return AccessFixture(clock=clock)


def test_valid_key_identifies_its_subject(access: AccessFixture) -> None:
    key = access.admit(Role.EDITOR)
    for _ in range(2):
        assert access.check(key) == Principal("editor@example.com", Role.EDITOR, "team-a", key.key_id)


def test_missing_and_malformed_credentials_are_refused(access: AccessFixture) -> None:
    assert access.check(None) is Refusal.MISSING
    for nonsense in ("", " ", "x", "tm_", "tm_short_key", "a.b.c", "x" * (MAX_CREDENTIAL_BYTES + 1)):
        assert access.check(nonsense) is Refusal.INVALID


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Basic dXNlcjpwYXNz", b"Bearer \xc3\xa9", b"bearer", b"Token %b", b"%b"]
)
def test_only_the_bearer_scheme_is_accepted(access: AccessFixture, header: bytes) -> None:
    key = access.admit(Role.VIEWER)
    value = header.replace(b"%b", key.text.encode())
    assert access.authenticator.check([(b"authorization", value)]) is Refusal.INVALID


def test_scheme_is_not_case_sensitive(access: AccessFixture) -> None:
    key = access.admit(Role.VIEWER)
    assert isinstance(access.authenticator.check([(b"authorization", b"bEaReR " + key.text.encode())]), Principal)


def test_request_with_two_credentials_is_refused(access: AccessFixture) -> None:
    header = (b"authorization", b"Bearer " + access.admit(Role.VIEWER).text.encode())
    assert access.authenticator.check([header, header]) is Refusal.INVALID


def test_secret_before_a_rotation_ends_with_its_grace_period_and_not_with_the_key(
    access: AccessFixture, clock: MovableClock
) -> None:
    older = AccessKey.new()
    newer = AccessKey.new(older.key_id)
    record = a_record(newer, older, version=2, expires_at=clock.now() + timedelta(days=30))
    secrets = (record.secrets[0], LiveSecret(sha256=older.sha256, until=clock.now() + timedelta(seconds=30)))
    access.keyring.put(replace(record, secrets=secrets))
    assert isinstance(access.check(older), Principal)
    clock.advance(30)
    assert access.check(older) is Refusal.EXPIRED
    assert isinstance(access.check(newer), Principal)


def test_secret_before_a_rotation_ends_with_the_key_if_that_is_earlier(
    access: AccessFixture, clock: MovableClock
) -> None:
    older = AccessKey.new()
    newer = AccessKey.new(older.key_id)
    record = a_record(newer, older, version=2, expires_at=clock.now() + timedelta(seconds=30))
    secrets = (record.secrets[0], LiveSecret(sha256=older.sha256, until=clock.now() + timedelta(days=1)))
    access.keyring.put(replace(record, secrets=secrets))
    clock.advance(30)
    assert access.check(older) is Refusal.EXPIRED


def test_accepted_key_that_is_no_longer_kept_is_refused_at_once(access: AccessFixture) -> None:
    kept, removed = access.admit(Role.VIEWER), access.admit(Role.VIEWER)
    assert isinstance(access.check(removed), Principal)
    access.keyring.keep_only([kept.key_id])
    assert access.check(removed) is Refusal.INVALID
    assert isinstance(access.check(kept), Principal)


def test_well_formed_key_with_another_secret_is_refused(access: AccessFixture) -> None:
    known = access.admit(Role.VIEWER)
    assert access.check(AccessKey.new(known.key_id)) is Refusal.INVALID
    assert access.check(AccessKey.new()) is Refusal.INVALID


def test_revoked_key_is_refused_at_once_although_its_result_was_cached(access: AccessFixture) -> None:
    key = access.admit(Role.VIEWER)
    assert isinstance(access.check(key), Principal)
    access.keyring.end(key.key_id)
    assert access.check(key) is Refusal.REVOKED


def test_revoked_key_stays_revoked_when_an_older_record_arrives(access: AccessFixture) -> None:
    key = access.admit(Role.VIEWER)
    access.keyring.end(key.key_id)
    access.keyring.put(a_record(key, version=9))
    assert access.check(key) is Refusal.REVOKED


def test_key_created_after_it_was_refused_is_accepted_at_once(access: AccessFixture) -> None:
    key = AccessKey.new()
    assert access.check(key) is Refusal.INVALID
    access.keyring.put(a_record(key))
    assert isinstance(access.check(key), Principal)


def test_expired_key_is_refused_from_its_expiry_although_its_result_was_cached(
    access: AccessFixture, clock: MovableClock
) -> None:
    key = access.admit(Role.VIEWER, expires_at=clock.now() + timedelta(seconds=5))
    clock.advance(4.9)
    assert isinstance(access.check(key), Principal)
    clock.advance(0.1)
    assert access.check(key) is Refusal.EXPIRED


def test_both_secrets_of_a_rotated_key_are_accepted_until_the_older_one_expires(
    access: AccessFixture, clock: MovableClock
) -> None:
    older = access.admit(Role.VIEWER)
    newer = AccessKey.new(older.key_id)
    until = clock.now() + timedelta(seconds=30)
    secrets = (LiveSecret(sha256=newer.sha256), LiveSecret(sha256=older.sha256, until=until))
    access.keyring.put(replace(a_record(older, version=2), secrets=secrets))
    assert isinstance(access.check(older), Principal)
    assert isinstance(access.check(newer), Principal)
    clock.advance(30)
    assert access.check(older) is Refusal.EXPIRED
    assert isinstance(access.check(newer), Principal)


def test_older_record_of_a_key_changes_nothing(access: AccessFixture) -> None:
    key = AccessKey.new()
    access.keyring.put(a_record(key, version=2, role=Role.VIEWER))
    access.keyring.put(a_record(key, version=1, role=Role.EDITOR))
    assert access.check(key).role is Role.VIEWER


def test_unknown_key_is_not_refused_as_invalid_before_the_keys_are_loaded(clock: MovableClock) -> None:
    access = AccessFixture(clock=clock, loaded=False)
    assert access.check(AccessKey.new()) is Refusal.UNKNOWN


def test_flood_of_wrong_keys_is_bounded_and_does_not_displace_valid_keys(access: AccessFixture) -> None:
    key = access.admit(Role.VIEWER)
    access.check(key)
    for number in range(CACHE_SIZE + 100):
        access.check(f"wrong-{number}")
    accepted, refused = access.authenticator._accepted, access.authenticator._refused  # noqa: SLF001
    assert (len(accepted), len(refused)) == (1, CACHE_SIZE)


def test_outcomes_are_counted(access: AccessFixture) -> None:
    access.check(access.admit(Role.VIEWER))
    access.check(None)
    access.check("x")
    families = text_string_to_metric_families(access.metrics.exposition().decode())
    counts = {
        each.labels["outcome"]: each.value for family in families if family.name == "tm_auth" for each in family.samples
    }
    assert counts == {"ok": 1, "missing": 1, "invalid": 1, "expired": 0, "revoked": 0, "forbidden": 0}
