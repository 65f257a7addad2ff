"""A relay that froze with old events in its hands and wakes up after another one has sent newer ones."""

from tests.faults.test_caches_down import watched
from tests.support.system import System
from tests.support.waiting import eventually


async def test_what_an_old_relay_sends_late_brings_no_old_value_back(system: System) -> None:
    key = await system.new_key()
    path = system.control_path(key).removeprefix(system.control_url)
    second = system.services.another("control_plane", "control-plane-newer")
    await second.start()
    try:
        async with watched(system, key) as watch:
            await system.put(key, "http://old")
            await system.until_resolved(key, "http://old")
            # Committed, and perhaps on the way to Kafka, when the first one freezes.
            for number in range(5):
                await system.put(key, f"http://in-flight-{number}")
            await system.services.control_plane.freeze()
            try:
                for number in range(5):
                    answer = await system.http.put(f"{second.urls[0]}{path}", json={"url": f"http://newer-{number}"})
                    assert answer.status_code == 200, answer.text
                await system.until_resolved(key, "http://newer-4", within=30)
            finally:
                await system.services.control_plane.thaw()
            last = await system.http.put(f"{second.urls[0]}{path}", json={"url": "http://last"})
            assert last.status_code == 200, last.text
            await system.until_resolved(key, "http://last", within=30)
            await eventually(lambda: _relays_again(system), within=30)
            for resolver in system.resolver_urls:
                assert await system.resolved_url(resolver, key) == "http://last"
        assert watch.statuses <= {200, 404}
        regressions = [
            line
            for resolver in system.resolver_urls
            for line in (await system.http.get(f"{resolver}/metrics")).text.splitlines()
            if line.startswith("tm_revision_regressions_total")
        ]
        assert [float(line.split()[-1]) for line in regressions] == [0.0] * len(system.resolver_urls)
    finally:
        await second.stop()


async def _relays_again(system: System) -> bool:
    """Whether the first one answers again."""
    return (await system.http.get(f"{system.control_url}/health/ready")).status_code == 200
