"""Changes: a moved and a deactivated route reach every resolver, and the audit trail."""

import asyncio
import secrets
import time
from functools import partial

from examples.demo.access import EDITOR
from examples.demo.catalogue import SampleRoute
from examples.demo.stage import TIMEOUT_SECONDS, Stage, eventually, require


async def move_route(stage: Stage) -> None:
    """Move callers of v1 to the URL of v2"""
    client, route, target = stage.client, stage.moved, stage.next_version.url
    arrivals = [asyncio.create_task(_time_of_arrival(stage, each, route, target)) for each in client.urls.data_planes]
    await asyncio.sleep(0.05)
    trace_id = secrets.token_hex(16)
    response = await client.put(route, target, "v2 passed its checks", trace_id)
    written = time.perf_counter()
    require(response.status_code == 200, f"move: {response.status_code} {response.text}")
    stage.say(f"{route.path} -> {target} (revision {response.json()['revision']})")
    stage.say(f"trace {trace_id}, at the collector that OTEL_EXPORTER_OTLP_ENDPOINT names (docs/traces.md)")
    milliseconds = (await _time_live_everywhere(stage, route, response.headers["x-revision"]) - written) * 1000
    stage.say(f"live in every resolver {milliseconds:.1f} ms after the write's response, by the resolvers' reports")
    for resolver, arrival in zip(client.urls.data_planes, arrivals, strict=True):
        milliseconds = (await arrival - written) * 1000
        when = f"{milliseconds:.1f} ms after" if milliseconds > 0 else "before"
        stage.say(f"{resolver} answered with the new URL {when} the write's response")


async def deactivate_route(stage: Stage) -> None:
    """Deactivate a route: callers get a 404"""
    client, route = stage.client, stage.deactivated
    response = await client.deactivate(route, "v1 is retired")
    require(response.status_code == 200, f"deactivation: {response.status_code} {response.text}")
    for resolver in client.urls.data_planes:
        await eventually(partial(_is_missing, stage, resolver, route))
    problem = await client.resolve(client.urls.data_planes[0], route)
    stage.say(f"{problem.status_code}: {problem.json()['detail']}")


async def query_audit_trail(stage: Stage) -> None:
    """Query the audit trail for the deactivation"""
    route = stage.deactivated
    await eventually(partial(_last_action_is, stage, route, "deactivated"))
    event = (await stage.client.audit_events(route)).json()["events"][0]
    require(event["changed_by"] == EDITOR, f"changed_by is {event['changed_by']}")
    stage.say(f"{event['changed_by']} {event['action']} {route.path} at {event['occurred_at']}")
    stage.say(f"reason: {event['reason']!r}; before: {event['previous_state']} at {event['previous_url']}")


async def _time_of_arrival(stage: Stage, resolver: str, route: SampleRoute, url: str) -> float:
    async def has_arrived() -> bool:
        response = await stage.client.resolve(resolver, route)
        return response.status_code == 200 and response.json()["url"] == url

    await eventually(has_arrived)
    return time.perf_counter()


async def _time_live_everywhere(stage: Stage, route: SampleRoute, revision: str) -> float:
    """When the control plane reported that every resolver process has applied the change set."""
    response = await stage.client.propagation(route, revision, TIMEOUT_SECONDS / 2)
    require(response.status_code == 200, f"propagation: {response.status_code} {response.text}")
    require(response.json()["live_everywhere"], f"not live everywhere: {response.text}")
    return time.perf_counter()


async def _is_missing(stage: Stage, resolver: str, route: SampleRoute) -> bool:
    return (await stage.client.resolve(resolver, route)).status_code == 404


async def _last_action_is(stage: Stage, route: SampleRoute, action: str) -> bool:
    response = await stage.client.audit_events(route)
    events = response.json()["events"] if response.status_code == 200 else []
    return bool(events) and events[0]["action"] == action
