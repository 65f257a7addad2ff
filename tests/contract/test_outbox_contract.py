"""The outbox: PostgreSQL and the fake behave alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from control_plane.domain.outbox import Acknowledged
from control_plane.errors import LeadershipLost
from control_plane.ports.publishing import Outbox
from tests.fakes.control_plane_outbox import FakeOutbox
from tests.support.control_plane import open_outbox
from tests.support.postgres import Database
from tests.support.waiting import eventually

_COMMIT = """
INSERT INTO outbox (topic, key, headers, payload, created_at)
VALUES ('route-events', $1, '{"correlation_id": "req-1"}', $2, clock_timestamp())
"""
_END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'outbox_relay' AND datname = current_database()
"""


@dataclass
class Subject:
    """An outbox, and functions that change it from outside."""

    outbox: Outbox
    commit: Callable[[str, bytes], Awaitable[None]]
    end_sessions: Callable[[], Awaitable[None]]


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def subject(behind: Database | None) -> AsyncIterator[Subject]:
    if behind is None:
        yield _fake()
        return
    async with open_outbox(behind.url) as outbox:
        connection = await asyncpg.connect(behind.url)

        async def commit(key: str, payload: bytes) -> None:
            await connection.execute(_COMMIT, key, payload)

        async def end_sessions() -> None:
            await connection.execute(_END_SESSIONS)

        yield Subject(outbox, commit, end_sessions)
        await connection.close()


def _fake() -> Subject:
    fake = FakeOutbox()

    async def commit(key: str, payload: bytes) -> None:
        fake.commit(key, payload)

    async def end_sessions() -> None:
        fake.end_sessions()

    return Subject(fake, commit, end_sessions)


def _unheard() -> None:
    pass


async def test_unsent_records_are_read_in_commit_order_until_they_are_marked(subject: Subject) -> None:
    await subject.commit("team-a", b"1")
    await subject.commit("team-b", b"2")
    await subject.commit("team-a", b"3")
    async with subject.outbox.session(_unheard) as session:
        assert await session.try_lead()
        unsent = await session.unsent()
        assert unsent.complete
        assert [(each.key, each.payload) for each in unsent.records] == [
            ("team-a", b"1"),
            ("team-b", b"2"),
            ("team-a", b"3"),
        ]
        assert {(each.topic, each.headers["correlation_id"]) for each in unsent.records} == {("route-events", "req-1")}
        assert (await subject.outbox.backlog()).unsent == 3
        delays = await session.mark_sent(
            [Acknowledged(each, 0, place) for place, each in enumerate(unsent.records[:2])]
        )
        assert len(delays) == 2
        assert {topic for topic, _ in delays} == {"route-events"}
        assert min(delay for _, delay in delays) >= 0
        assert [each.payload for each in (await session.unsent()).records] == [b"3"]
    backlog = await subject.outbox.backlog()
    assert (backlog.unsent, backlog.oldest_seconds > 0) == (1, True)


async def test_unsent_records_are_read_in_id_order_after_the_primary_clock_was_set_back(
    database: Database,
) -> None:
    connection = await asyncpg.connect(database.url)
    for hours_ago, payload in ((1, b"1"), (3, b"2"), (2, b"3")):
        await connection.execute(
            _COMMIT.replace("clock_timestamp()", "clock_timestamp() - $3::interval"),
            "team-a",
            payload,
            timedelta(hours=hours_ago),
        )
    await connection.close()
    async with open_outbox(database.url) as outbox, outbox.session(_unheard) as session:
        assert await session.try_lead()
        assert [each.payload for each in (await session.unsent()).records] == [b"1", b"2", b"3"]


async def test_empty_outbox_has_no_backlog(subject: Subject) -> None:
    backlog = await subject.outbox.backlog()
    assert (backlog.unsent, backlog.oldest_seconds) == (0, 0)


async def test_long_backlog_is_read_in_bounded_batches(subject: Subject) -> None:
    for number in range(501):
        await subject.commit("team-a", b"%d" % number)
    async with subject.outbox.session(_unheard) as session:
        await session.try_lead()
        unsent = await session.unsent()
        assert (len(unsent.records), unsent.complete) == (500, False)
        await session.mark_sent([Acknowledged(each, 0, 0) for each in unsent.records])
        unsent = await session.unsent()
        assert ([each.payload for each in unsent.records], unsent.complete) == ([b"500"], True)


async def test_records_of_keys_that_are_left_out_do_not_fill_the_batch(subject: Subject) -> None:
    for number in range(501):
        await subject.commit("team-a", b"%d" % number)
    await subject.commit("team-b", b"1")
    async with subject.outbox.session(_unheard) as session:
        await session.try_lead()
        unsent = await session.unsent([("route-events", "team-a")])
        assert ([(each.key, each.payload) for each in unsent.records], unsent.complete) == ([("team-b", b"1")], True)
        assert len((await session.unsent([("access-keys", "team-a")])).records) == 500


async def test_marker_takes_the_place_of_a_quarantined_record(subject: Subject) -> None:
    for payload in (b"1", b"2", b"3"):
        await subject.commit("team-a", payload)
    async with subject.outbox.session(_unheard) as session:
        await session.try_lead()
        first, second, third = (await session.unsent()).records
        assert await session.quarantine(second, "too large", b"marker")
        assert [(each.id, each.payload) for each in (await session.unsent()).records] == [
            (first.id, b"1"),
            (second.id, b"marker"),
            (third.id, b"3"),
        ]
        assert not await session.quarantine(second, "the marker is too large", b"marker")
        assert await session.quarantine(third, "too large", None)
        assert [each.payload for each in (await session.unsent()).records] == [b"1", b"marker"]
    backlog = await subject.outbox.backlog()
    assert (backlog.unsent, backlog.quarantined) == (2, 2)


async def test_one_session_leads_until_it_ends(subject: Subject) -> None:
    async with AsyncExitStack() as opened:
        first = await opened.enter_async_context(subject.outbox.session(_unheard))
        assert await first.try_lead()
        async with subject.outbox.session(_unheard) as second:
            assert not await second.try_lead()
            await opened.aclose()
            await eventually(second.try_lead)


async def test_leader_is_signalled_about_commits_of_other_processes(subject: Subject) -> None:
    stream_coverage = asyncio.Event()
    async with subject.outbox.session(stream_coverage.set) as leader, subject.outbox.session(_unheard) as follower:
        assert await leader.try_lead()
        assert not await follower.try_lead()
        await subject.outbox.signal()
        async with asyncio.timeout(10):
            await stream_coverage.wait()


async def test_lost_session_interrupts_its_block(subject: Subject) -> None:
    sessions = []

    async def wait_in_session() -> None:
        async with subject.outbox.session(_unheard) as session:
            sessions.append(session)
            assert await session.try_lead()
            await subject.end_sessions()
            async with asyncio.timeout(10):
                await asyncio.Event().wait()

    with pytest.raises(LeadershipLost):
        await wait_in_session()
    with pytest.raises(LeadershipLost):
        await sessions[0].unsent()


async def test_times_of_successive_beats_increase(subject: Subject) -> None:
    async with subject.outbox.session(_unheard) as session:
        await session.try_lead()
        first, second = await session.beat(), await session.beat()
    assert first < second
    assert first.tzinfo is not None


async def test_only_records_sent_before_the_retention_are_purged(subject: Subject) -> None:
    for payload in (b"1", b"2", b"3"):
        await subject.commit("team-a", payload)
    async with subject.outbox.session(_unheard) as session:
        await session.try_lead()
        records = (await session.unsent()).records
        await session.mark_sent([Acknowledged(records[0], 0, 0), Acknowledged(records[2], 0, 1)])
        assert await session.purge(timedelta(hours=1)) == 0
        assert await session.purge(timedelta()) == 2
        assert [each.payload for each in (await session.unsent()).records] == [b"2"]
