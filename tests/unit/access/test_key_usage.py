"""Which access keys a process reports as used."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.runtime.access.authenticator import CACHE_SECONDS, CredentialAuthenticator
from shared.runtime.access.key_usage import KeyUsageReporter, UsedKeys
from shared.runtime.access.tokens import AccessKey
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.access import Role
from shared.schemas.key_usage import MAX_KEYS, KeyUsage, UndecodableKeyUsage, decode_usage, encode_usage
from tests.support.access import AccessFixture, bearer
from tests.support.clocks import MovableClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _CountingKeys(UsedKeys):
    def __init__(self) -> None:
        super().__init__()
        self.additions = 0

    def add(self, key_id: str) -> None:
        self.additions += 1
        super().add(key_id)


def _authenticator(access: AccessFixture, used: UsedKeys) -> CredentialAuthenticator:
    return CredentialAuthenticator(
        access.keyring, access.tokens, clock=access.clock, metrics=access.metrics, used_keys=used
    )


def _check(authenticator: CredentialAuthenticator, key: AccessKey | str) -> None:
    authenticator.check([(b"authorization", bearer(key)["Authorization"].encode())])


def test_accepted_key_is_noted_once_a_minute_and_not_with_every_request() -> None:
    access, used = AccessFixture(), _CountingKeys()
    assert isinstance(access.clock, MovableClock)
    key, authenticator = access.admit(Role.VIEWER), _authenticator(access, used)
    for _ in range(100):
        _check(authenticator, key)
    assert used.additions == 1
    access.clock.advance(CACHE_SECONDS + 1)
    _check(authenticator, key)
    assert used.additions == 2
    assert used.take() == (key.key_id,)
    assert used.take() == ()


def test_refused_keys_are_not_noted() -> None:
    access, used = AccessFixture(), UsedKeys()
    expired = access.admit(Role.VIEWER, expires_at=access.clock.now() - timedelta(seconds=1))
    revoked, wrong_secret = access.admit(Role.VIEWER), AccessKey.new(access.admit(Role.VIEWER).key_id)
    access.keyring.end(revoked.key_id)
    authenticator = _authenticator(access, used)
    for each in (expired, revoked, wrong_secret, AccessKey.new(), "a.b.c"):
        _check(authenticator, each)
    assert used.take() == ()


def test_noted_keys_are_bounded_and_fit_into_one_report() -> None:
    used = UsedKeys()
    for number in range(MAX_KEYS + 10):
        used.add(f"{number:012d}")
    usage = KeyUsage(as_of=NOW, keys=used.take())
    assert len(usage.keys) == MAX_KEYS
    assert len(encode_usage(usage)) < 200_000
    assert decode_usage(encode_usage(usage)) == usage


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[" * 100_000, b'{"schema":2,"as_of":"2026-01-01T00:00:00Z","keys":[]}', b'{"keys":[1]}'],
)
def test_odd_report_is_undecodable(value: bytes | None) -> None:
    with pytest.raises(UndecodableKeyUsage):
        decode_usage(value)


async def test_used_keys_are_reported_once_and_at_the_end_of_the_process() -> None:
    used, clock, written = UsedKeys(), MovableClock(), list[KeyUsage]()

    async def write(usage: KeyUsage) -> None:
        written.append(usage)

    reporter = KeyUsageReporter(used, write, clock=clock)
    used.add("key000000000")
    await reporter.report()
    await reporter.report()
    assert written == [KeyUsage(as_of=clock.now(), keys=("key000000000",))]
    async with reporter.running():
        used.add("last00000000")
    assert written[-1].keys == ("last00000000",)


async def test_failed_last_report_does_not_stop_the_end_of_the_process() -> None:
    used = UsedKeys()

    async def fail(_: KeyUsage) -> None:
        raise DependencyUnavailable("key_usage_reports", "refused")

    async with KeyUsageReporter(used, fail, clock=MovableClock()).running():
        used.add("last00000000")
