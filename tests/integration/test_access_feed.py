"""The access key feed on a real broker."""

from deploy.local.stack import Stack
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from tests.support.access import a_record
from tests.support.key_topic import Follower, lose_topic, send
from tests.support.waiting import eventually


async def test_feed_loads_all_keys_and_then_receives_every_change(stack: Stack) -> None:
    before, revoked, later = AccessKey.new(), AccessKey.new(), AccessKey.new()
    rotated = AccessKey.new(before.key_id)
    await send(stack, a_record(before), a_record(revoked), revoked.key_id, b"{not json")
    follower = Follower()
    async with follower.following(stack.urls.kafka):
        assert isinstance(follower.access.check(before), Principal)
        assert follower.access.check(revoked) is Refusal.REVOKED
        assert follower.access.check(AccessKey.new()) is Refusal.INVALID
        await send(stack, a_record(later), a_record(rotated, version=2))
        await follower.becomes(later, None)
        await follower.becomes(rotated, None)
        assert follower.access.check(before) is Refusal.INVALID
        await send(stack, later.key_id, a_record(later))
        await follower.becomes(later, Refusal.REVOKED)


async def test_lost_topic_removes_no_key(stack: Stack) -> None:
    known = AccessKey.new()
    await send(stack, a_record(known))
    follower = Follower()
    async with follower.following(stack.urls.kafka):
        await lose_topic(stack)

        await eventually(follower.reports_incomplete, within=40)
        assert isinstance(follower.access.check(known), Principal)
        again, new = a_record(known), AccessKey.new()
        await send(stack, again, a_record(new))
        await follower.becomes(new, None)
        assert isinstance(follower.access.check(known), Principal)
