"""Entries: the newer one of two, and the TTL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State, TtlPolicy, newest
from data_plane.domain.remote_clock import PrimaryTime
from shared.runtime.clock import LocalTime
from tests.fakes.data_plane_world import KEY
from tests.support.active_values import a_value, url_of

TTL_POLICY = TtlPolicy(positive_seconds=60, negative_seconds=10, stale_if_error_seconds=3600)
NOW = LocalTime(100)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Entries that a database can have returned: one revision has one value."""
    revision = draw(st.integers(0, 4))
    state = (State.ABSENT, State.ACTIVE, State.INACTIVE, State.ACTIVE, State.ACTIVE)[revision]
    url = f"https://example.com/{revision}" if state is State.ACTIVE else None
    read_at, expires_at = LocalTime(draw(st.integers(0, 50))), LocalTime(draw(st.integers(50, 100)))
    proven_at, tenant_revision = PrimaryTime(draw(st.integers(0, 9))), draw(st.integers(revision, 9))
    return Entry(KEY, state, a_value(url), revision, read_at, expires_at, proven_at, tenant_revision)


@given(entries(), entries(), entries())
def test_newest_entry_does_not_depend_on_the_order_of_arrival(one: Entry, two: Entry, three: Entry) -> None:
    assert newest(one, two) == newest(two, one)
    assert newest(newest(one, two), three) == newest(one, newest(two, three))
    assert newest(one, one) == one


@given(entries(), entries())
def test_revision_of_the_newest_entry_never_decreases(held: Entry, offered: Entry) -> None:
    winner = newest(held, offered)
    assert winner.revision == max(held.revision, offered.revision)
    assert url_of(winner) in {url_of(each) for each in (held, offered) if each.revision == winner.revision}


def test_two_reads_of_one_revision_combine() -> None:
    short = Entry(KEY, State.ACTIVE, ActiveValue("https://a"), 7, read_at=LocalTime(20), expires_at=LocalTime(21))
    long = Entry(KEY, State.ACTIVE, ActiveValue("https://a"), 7, read_at=LocalTime(10), expires_at=LocalTime(70))
    assert newest(short, long) == Entry(
        KEY, State.ACTIVE, ActiveValue("https://a"), 7, read_at=LocalTime(20), expires_at=LocalTime(70)
    )


@pytest.mark.parametrize(("state", "ttl"), [(State.ACTIVE, 60), (State.INACTIVE, 10), (State.ABSENT, 10)])
def test_ttl_counts_from_when_the_entry_was_right(state: State, ttl: float) -> None:
    url = "https://a" if state is State.ACTIVE else None
    entry = TTL_POLICY.entry(KEY, state, a_value(url), 1, read_at=LocalTime(95), now=NOW)
    assert (entry.read_at, entry.expires_at) == (LocalTime(95), LocalTime(95 + ttl))


@pytest.mark.parametrize("read_at", [30, float("-inf")])
def test_read_that_is_too_old_or_of_unknown_age_is_expired(read_at: float) -> None:
    assert (
        TTL_POLICY.entry(KEY, State.ACTIVE, ActiveValue("https://a"), 1, read_at=LocalTime(read_at), now=NOW).expires_at
        == NOW
    )


@pytest.mark.parametrize(("state", "url"), [(State.ACTIVE, None), (State.INACTIVE, "https://a")])
def test_only_active_entries_have_a_url(state: State, url: str | None) -> None:
    with pytest.raises(ValueError, match="team-a:payments:prod:v1"):
        Entry(KEY, state, a_value(url), 1, LocalTime(0), LocalTime(0))
