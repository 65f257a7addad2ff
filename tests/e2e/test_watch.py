"""Watches of a tenant, on real servers."""

from tests.support.sse import next_change, watch
from tests.support.system import System


async def test_watch_receives_every_write_once_and_in_order_from_every_resolver(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://write-1")
    for resolver in system.resolver_urls:
        async with watch(system.http, resolver, key.tenant) as events:
            first = await next_change(events)
            assert (first.name, first.id) == ("snapshot", str(first.data["revision"]))
            assert [each["url"] for each in first.data["routes"]] == [f"http://write-{first.id}"]
            begun = int(first.id or 0)
            for revision in range(begun + 1, begun + 6):
                await system.put(key, f"http://write-{revision}")
                change = await next_change(events)
                assert (change.name, change.id, change.data["revision"]) == ("change", str(revision), revision)
                assert [each["url"] for each in change.data["changes"]] == [f"http://write-{revision}"]


async def test_watch_resumes_at_another_resolver_from_its_revision(system: System) -> None:
    key = await system.new_key()
    one, two = system.resolver_urls
    await system.put(key, "http://write-1")
    await system.until_resolved(key, "http://write-1")
    async with watch(system.http, one, key.tenant) as events:
        assert (await next_change(events)).id == "1"
    for revision in (2, 3, 4):
        await system.put(key, f"http://write-{revision}")
    async with watch(system.http, two, key.tenant, since=1) as events:
        assert [(await next_change(events)).id for _ in range(3)] == ["2", "3", "4"]
    async with watch(system.http, one, key.tenant, since=4) as events:
        await system.put(key, "http://write-5")
        assert (await next_change(events)).id == "5"
