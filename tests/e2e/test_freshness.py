"""The freshness of answers, on real servers."""

from tests.support.system import System
from tests.support.waiting import eventually


async def test_heartbeats_lower_the_bound_of_an_entry_without_a_load(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://there")
    await system.until_resolved(key, "http://there")
    for resolver in system.resolver_urls:

        async def renewed(resolver: str = resolver) -> bool:
            answer = await system.resolve(resolver, key)
            # The bound is below the age: heartbeats confirmed the entry after it was read.
            return answer.headers["X-Cache"] == "l1" and int(answer.headers["X-Staleness-Bound"]) < 1000 * (
                int(answer.headers["Age"]) - 1
            )

        await eventually(renewed, within=30)


async def test_writer_reads_its_own_write_from_every_resolver_at_once(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://write-0")
    await system.until_resolved(key, "http://write-0")
    for number in range(1, 21):
        written = await system.put(key, f"http://write-{number}")
        for resolver in system.resolver_urls:
            path = f"{resolver}/api/v1/resolve/{key.tenant}/{key.service}/{key.env}/{key.version}"
            answer = await system.http.get(path, headers={"X-Min-Revision": str(written.json()["revision"])})
            assert (answer.status_code, answer.json()["url"]) == (200, f"http://write-{number}")
