"""The work that keeps the topic of access keys equal to the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from control_plane.domain.access_keys import NewKey
from control_plane.domain.key_topic import KeyTopicState
from control_plane.service.key_topic import KeyTopicKeeper
from control_plane.service.key_usage import KeyUsageKeeper
from shared.runtime.clock import SystemClock
from shared.schemas.access import KeysComplete, Role
from tests.fakes.control_plane_key_topic import FakeKeyTopic, FakeKeyUsageReports
from tests.fakes.control_plane_keys import FakeAccessKeys
from tests.fakes.control_plane_registry import FakeRegistry
from tests.support.waiting import eventually

GOOD, OTHER, REVOKED = "good00000000", "other0000000", "revoked00000"


async def a_topic() -> FakeKeyTopic:
    """An empty topic, and two valid keys and a revoked one in the database."""
    keys = FakeAccessKeys(FakeRegistry())
    for key_id in (GOOD, OTHER, REVOKED):
        await keys.create(NewKey(key_id, "0" * 64, "ci", Role.ADMIN, None, "ada", None))
    await keys.revoke(None, REVOKED)
    return FakeKeyTopic(keys)


async def a_complete_topic() -> FakeKeyTopic:
    topic = await a_topic()
    topic.contents.live = {GOOD: 1, OTHER: 1}
    topic.contents.ended = {REVOKED}
    topic.contents.completion = KeysComplete(generation=1, keys=2, as_of=datetime.now(UTC))
    topic.stored = KeyTopicState(1, is_requested=False)
    return topic


@asynccontextmanager
async def kept(topic: FakeKeyTopic, notes: dict[str, str] | None = None) -> AsyncIterator[None]:
    keeper = KeyTopicKeeper(
        topic, topic, clock=SystemClock(), notes={} if notes is None else notes, check_seconds=0.005
    )
    running = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def has_generation(topic: FakeKeyTopic, generation: int) -> None:
    async def arrived() -> bool:
        found = topic.contents.completion
        return found is not None and found.generation == generation

    await eventually(arrived)


async def test_new_topic_gets_every_valid_key_and_then_the_completion_record() -> None:
    topic = await a_topic()
    async with kept(topic):
        await has_generation(topic, 1)
    assert topic.sent == [(GOOD, 1), (OTHER, 1)]
    assert topic.completions[0].keys == 2


async def test_topic_without_keys_gets_a_completion_record() -> None:
    topic = FakeKeyTopic(FakeAccessKeys(FakeRegistry()))
    async with kept(topic):
        await has_generation(topic, 1)
    assert topic.sent == []


async def test_lost_topic_gets_the_next_generation() -> None:
    topic = await a_topic()
    topic.stored = KeyTopicState(4, is_requested=False)
    async with kept(topic):
        await has_generation(topic, 5)
    assert topic.stored.generation == 5
    assert topic.contents.live == {GOOD: 1, OTHER: 1}


async def test_no_completion_record_is_written_before_the_keys_have_arrived() -> None:
    topic = await a_topic()
    topic.is_stuck = True
    async with kept(topic):

        async def has_sent_twice() -> bool:
            return len(topic.sent) >= 4

        await eventually(has_sent_twice)
        assert topic.completions == []


async def test_equal_topic_gets_nothing_but_a_newer_completion_record() -> None:
    topic = await a_complete_topic()
    before = topic.contents.completion
    assert before is not None
    async with kept(topic):

        async def is_renewed() -> bool:
            return topic.contents.completion is not before

        await eventually(is_renewed)
        await asyncio.sleep(0.05)
    assert (topic.sent, topic.stored.generation, len(topic.completions)) == ([], 1, 1)


async def test_record_of_a_revoked_key_that_came_back_is_ended_again() -> None:
    topic = await a_complete_topic()
    topic.contents.live[REVOKED] = 1
    async with kept(topic):

        async def is_ended() -> bool:
            return REVOKED in topic.contents.ended

        topic.contents.ended.discard(REVOKED)
        await eventually(is_ended)
        topic.contents.put(REVOKED, 1)  # a frozen relay goes on
        await eventually(is_ended)
    assert topic.sent == [(REVOKED, None), (REVOKED, None)]
    assert topic.stored.generation == 1


async def test_outdated_record_is_replaced() -> None:
    topic = await a_complete_topic()
    await topic.keys.rotate(None, GOOD, "1" * 64, timedelta(hours=1))
    async with kept(topic):

        async def is_current() -> bool:
            return topic.contents.live[GOOD] == 2

        await eventually(is_current)
    assert topic.sent == [(GOOD, 2)]


async def test_operators_request_raises_the_generation_and_ends_keys_that_the_database_does_not_have() -> None:
    topic = await a_complete_topic()
    topic.contents.live["unknown00000"] = 1
    async with kept(topic):

        async def is_renewed() -> bool:
            return bool(topic.completions)

        await eventually(is_renewed)
        assert topic.sent == []
        topic.stored = replace(topic.stored, is_requested=True)
        await has_generation(topic, 2)
    assert topic.sent == [("unknown00000", None)]
    assert topic.stored == KeyTopicState(2, is_requested=False)


async def test_topic_of_a_newer_generation_than_the_database_is_left_alone_until_an_operator_asks() -> None:
    topic, notes = await a_complete_topic(), dict[str, str]()
    topic.stored = KeyTopicState(0, is_requested=False)
    topic.contents.live = {"unknown00000": 1}
    async with kept(topic, notes):

        async def is_reported() -> bool:
            return "republish-keys" in notes.get("access_key_topic", "")

        await eventually(is_reported)
        await asyncio.sleep(0.05)
        assert (topic.sent, topic.completions) == ([], [])
        topic.stored = replace(topic.stored, is_requested=True)
        await has_generation(topic, 2)
    assert topic.contents.live == {GOOD: 1, OTHER: 1}
    assert notes == {}


async def test_expired_key_is_not_sent() -> None:
    topic = await a_complete_topic()
    topic.keys.keys[OTHER] = replace(topic.keys.keys[OTHER], expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    del topic.contents.live[OTHER]
    async with kept(topic):

        async def is_renewed() -> bool:
            return bool(topic.completions)

        await eventually(is_renewed)
    assert (topic.sent, topic.completions[0].keys) == ([], 1)


async def test_reported_use_is_stored_to_ten_minutes_and_never_goes_back() -> None:
    topic = await a_topic()
    used = datetime(2026, 3, 9, 14, 27, 31, tzinfo=UTC)
    reports = FakeKeyUsageReports([{GOOD: used}, {GOOD: used - timedelta(hours=1), "unknown00000": used}])
    running = asyncio.create_task(KeyUsageKeeper(reports, topic).run())

    async def is_read() -> bool:
        return not reports.reports

    await eventually(is_read)
    running.cancel()
    assert topic.keys.keys[GOOD].last_used_at == datetime(2026, 3, 9, 14, 20, tzinfo=UTC)
    assert topic.keys.keys[OTHER].last_used_at is None
