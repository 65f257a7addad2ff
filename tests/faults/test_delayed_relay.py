"""A relay that froze before publishing old events and resumes after another relay has published newer ones."""

from tests.support.revision_recorder import recording_revisions
from tests.support.system import System
from tests.support.waiting import eventually


async def test_events_that_a_resumed_relay_publishes_late_restore_no_old_value(system: System) -> None:
    key = await system.new_key()
    path = system.control_path(key).removeprefix(system.control_url)
    second = system.services.add_instance("control_plane", "control-plane-newer")
    await second.start()
    try:
        async with recording_revisions(system, key) as recorder:
            await system.put(key, "http://old")
            await system.until_resolved(key, "http://old")
            # Committed, and possibly in flight to Kafka, when the first relay freezes.
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
        assert recorder.statuses <= {200, 404}
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
    """Whether the first control plane is ready again."""
    return (await system.http.get(f"{system.control_url}/health/ready")).status_code == 200
