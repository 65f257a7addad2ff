"""Who is let in by key."""

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
def gate(clock: MovableClock) -> AccessFixture:
    return AccessFixture(clock=clock)


def test_known_key_is_its_subject(gate: AccessFixture) -> None:
    key = gate.admit(Role.EDITOR)
    for _ in range(2):
        assert gate.check(key) == Principal("editor@example.com", Role.EDITOR, "team-a", key.key_id)


def test_nothing_and_nonsense_are_refused(gate: AccessFixture) -> None:
    assert gate.check(None) is Refusal.MISSING
    for nonsense in ("", " ", "x", "tm_", "tm_short_key", "a.b.c", "x" * (MAX_CREDENTIAL_BYTES + 1)):
        assert gate.check(nonsense) is Refusal.INVALID


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Basic dXNlcjpwYXNz", b"Bearer \xc3\xa9", b"bearer", b"Token %b", b"%b"]
)
def test_only_a_bearer_is_accepted(gate: AccessFixture, header: bytes) -> None:
    key = gate.admit(Role.VIEWER)
    value = header.replace(b"%b", key.text.encode())
    assert gate.authenticator.check([(b"authorization", value)]) is Refusal.INVALID


def test_scheme_is_not_case_sensitive(gate: AccessFixture) -> None:
    key = gate.admit(Role.VIEWER)
    assert isinstance(gate.authenticator.check([(b"authorization", b"bEaReR " + key.text.encode())]), Principal)


def test_two_credentials_are_none(gate: AccessFixture) -> None:
    header = (b"authorization", b"Bearer " + gate.admit(Role.VIEWER).text.encode())
    assert gate.authenticator.check([header, header]) is Refusal.INVALID


def test_well_formed_key_with_another_secret_is_refused(gate: AccessFixture) -> None:
    known = gate.admit(Role.VIEWER)
    assert gate.check(AccessKey.new(known.key_id)) is Refusal.INVALID
    assert gate.check(AccessKey.new()) is Refusal.INVALID


def test_revoked_key_is_refused_at_once_although_it_was_remembered(gate: AccessFixture) -> None:
    key = gate.admit(Role.VIEWER)
    assert isinstance(gate.check(key), Principal)
    gate.keyring.end(key.key_id)
    assert gate.check(key) is Refusal.REVOKED


def test_revoked_key_does_not_come_back_with_older_news(gate: AccessFixture) -> None:
    key = gate.admit(Role.VIEWER)
    gate.keyring.end(key.key_id)
    gate.keyring.put(a_record(key, version=9))
    assert gate.check(key) is Refusal.REVOKED


def test_key_made_after_it_was_refused_is_accepted_at_once(gate: AccessFixture) -> None:
    key = AccessKey.new()
    assert gate.check(key) is Refusal.INVALID
    gate.keyring.put(a_record(key))
    assert isinstance(gate.check(key), Principal)


def test_expired_key_is_refused_from_that_moment_although_it_was_remembered(
    gate: AccessFixture, clock: MovableClock
) -> None:
    key = gate.admit(Role.VIEWER, expires_at=clock.now() + timedelta(seconds=5))
    clock.advance(4.9)
    assert isinstance(gate.check(key), Principal)
    clock.advance(0.1)
    assert gate.check(key) is Refusal.EXPIRED


def test_both_secrets_of_a_rotated_key_are_good_until_the_older_one_ends(
    gate: AccessFixture, clock: MovableClock
) -> None:
    older = gate.admit(Role.VIEWER)
    newer = AccessKey.new(older.key_id)
    until = clock.now() + timedelta(seconds=30)
    secrets = (LiveSecret(sha256=newer.sha256), LiveSecret(sha256=older.sha256, until=until))
    gate.keyring.put(replace(a_record(older, version=2), secrets=secrets))
    assert isinstance(gate.check(older), Principal)
    assert isinstance(gate.check(newer), Principal)
    clock.advance(30)
    assert gate.check(older) is Refusal.EXPIRED
    assert isinstance(gate.check(newer), Principal)


def test_older_news_of_a_key_changes_nothing(gate: AccessFixture) -> None:
    key = AccessKey.new()
    gate.keyring.put(a_record(key, version=2, role=Role.VIEWER))
    gate.keyring.put(a_record(key, version=1, role=Role.EDITOR))
    assert gate.check(key).role is Role.VIEWER


def test_before_the_keys_are_here_nobody_is_told_that_a_key_is_wrong(clock: MovableClock) -> None:
    gate = AccessFixture(clock=clock, loaded=False)
    assert gate.check(AccessKey.new()) is Refusal.UNKNOWN


def test_flood_of_wrong_keys_is_bounded_and_does_not_crowd_out_the_right_ones(gate: AccessFixture) -> None:
    key = gate.admit(Role.VIEWER)
    gate.check(key)
    for number in range(CACHE_SIZE + 100):
        gate.check(f"wrong-{number}")
    accepted, refused = gate.authenticator._accepted, gate.authenticator._refused  # noqa: SLF001
    assert (len(accepted), len(refused)) == (1, CACHE_SIZE)


def test_outcomes_are_counted(gate: AccessFixture) -> None:
    gate.check(gate.admit(Role.VIEWER))
    gate.check(None)
    gate.check("x")
    families = text_string_to_metric_families(gate.metrics.exposition().decode())
    counts = {
        each.labels["outcome"]: each.value for family in families if family.name == "tm_auth" for each in family.samples
    }
    assert counts == {"ok": 1, "missing": 1, "invalid": 1, "expired": 0, "revoked": 0, "forbidden": 0}
