"""The main job, shown: apply a catalogue, resolve it in every layer, change it, watch it arrive, ask who did it.

`make demo` runs this on the local stack. Each step says what held; the exit code says whether all of it did.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.local.settings import DEFAULT_STATE
from examples.catalogue import SampleRoute, read_catalogue
from examples.fresh_starts import start_again, start_with_empty_caches
from examples.local_urls import LocalUrls

EDITOR, RESOLVER = "ada@example.com", "shop-in-the-cluster"
SECONDS = 10.0
POLL = 0.0005


class DidNotHold(Exception):
    """A step saw something else than it should have."""


def expect(held: bool, otherwise: str) -> None:
    """Raise DidNotHold, saying what was seen, unless it held."""
    if not held:
        raise DidNotHold(otherwise)


@dataclass
class Demo:
    """The steps, in order; each is a method that raises DidNotHold."""

    urls: LocalUrls
    http: httpx2.AsyncClient
    console: Console = field(default_factory=Console)
    routes: list[SampleRoute] = field(default_factory=read_catalogue)
    keys: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict, repr=False)
    """By tenant and role, the header that presents a key."""

    @property
    def tenants(self) -> list[str]:
        """Whose routes they are."""
        return sorted({route.tenant for route in self.routes})

    @property
    def moved(self) -> SampleRoute:
        """The route that is moved to the next version's URL."""
        return next(route for route in self.routes if route.path == "checkout/paymentservice/prod/v1")

    @property
    def retired(self) -> SampleRoute:
        """The route that is taken away."""
        return next(route for route in self.routes if route.path == "storefront/adservice/dev/v1")

    async def let_in(self) -> None:
        """Give each tenant a key to edit with and one to resolve with"""
        for tenant in self.tenants:
            url = f"{self.urls.control_plane}/api/v1/tenants/{tenant}"
            answer = await self.http.put(url, headers=self.urls.admin)
            expect(answer.status_code in (200, 201), f"tenant {tenant}: {answer.status_code} {answer.text}")
            for role, subject in (("editor", EDITOR), ("resolver", RESOLVER)):
                wanted = {"subject": subject, "role": role}
                answer = await self.http.post(f"{url}/access-keys", headers=self.urls.admin, json=wanted)
                expect(answer.status_code == 201, f"key of {tenant}: {answer.status_code}")
                self.keys[tenant, role] = {"Authorization": f"Bearer {answer.json()['key']}"}
        self.say(f"{len(self.keys)} keys for {len(self.tenants)} tenants, made with TM_ADMIN_KEY of .local/env")
        for each in self.urls.data_planes:
            for key in self.keys.values():
                await self._eventually(partial(self._knows, each, key))
        instance = self.urls.data_planes[0]
        theirs = self.keys[self.retired.tenant, "resolver"]
        strange = await self.http.get(self._resolver(instance, self.moved), headers=theirs)
        nobody = await self.http.get(self._resolver(instance, self.moved))
        expect((strange.status_code, nobody.status_code) == (404, 401), f"{strange.text} {nobody.text}")
        self.say(f"{self.moved.path} with {self.retired.tenant}'s key: {strange.status_code}, as if it were not there")
        self.say(f"{self.moved.path} without a key: {nobody.status_code} {nobody.json()['title']}")

    async def apply(self) -> None:
        """Apply the catalogue over HTTP"""
        started = time.perf_counter()
        seen = Counter([(await self._put(route, route.url, "sample catalogue")).status_code for route in self.routes])
        expect(set(seen) <= {200, 201}, f"unexpected answers: {dict(seen)}")
        took = time.perf_counter() - started
        self.say(
            f"{len(self.routes)} routes of 3 tenants in {took:.2f} s: {seen[201]} created, {seen[200]} kept or reset"
        )

    async def resolve_everywhere(self) -> None:
        """Resolve every route, from an empty cache upwards"""
        await start_with_empty_caches()
        table = Table("instance", "pass", "answered by", "p50 ms", "max ms", box=None)
        for instance, layers in zip(self.urls.data_planes, (("replica", "l1"), ("redis", "l1")), strict=True):
            for number, layer in enumerate(layers, start=1):
                by, times = await self._resolve_all(instance)
                # Not each single one: on a busy machine a cache may be too slow once, and the next layer answers.
                (most, _), *_ = by.most_common()
                expect(most == layer, f"{instance} pass {number}: expected {layer}, got {dict(by)}")
                answered_by = ", ".join(f"{name} {count}" for name, count in by.most_common())
                table.add_row(instance, str(number), answered_by, f"{median(times):.2f}", f"{times[-1]:.2f}")
        self.console.print(table)

    async def restart(self) -> None:
        """Start the resolvers again: they begin with what they knew"""
        await start_again()
        for instance in self.urls.data_planes:
            by, times = await self._resolve_all(instance)
            expect(set(by) == {"l1"}, f"{instance} after its restart: expected l1, got {dict(by)}")
            self.say(f"{instance}: {by['l1']} of {len(self.routes)} routes from memory, p50 {median(times):.2f} ms")

    async def move(self) -> None:
        """Move a version: v1's callers get v2's URL"""
        target = next(route.url for route in self.routes if route.path == self.moved.path.replace("/v1", "/v2"))
        watching = [asyncio.create_task(self._until_url(each, self.moved, target)) for each in self.urls.data_planes]
        await asyncio.sleep(0.05)
        answer = await self._put(self.moved, target, "v2 passed its checks")
        answered = time.perf_counter()
        expect(answer.status_code == 200, f"the move was answered {answer.status_code} {answer.text}")
        self.say(f"{self.moved.path} -> {target} (revision {answer.json()['revision']})")
        behind = (await self._live_everywhere(self.moved, answer.headers["x-revision"]) - answered) * 1000
        self.say(f"live everywhere after {behind:.1f} ms, say the resolvers themselves")
        for instance, task in zip(self.urls.data_planes, watching, strict=True):
            behind = (await task - answered) * 1000
            when = f"{behind:.1f} ms after the write was answered" if behind > 0 else "before the write was answered"
            self.say(f"{instance} answered with it {when}")

    async def retire(self) -> None:
        """Deactivate a route: callers get a 404 that is one"""
        answer = await self.http.post(
            f"{self._control(self.retired)}/deactivate",
            headers=self._editor(self.retired),
            json={"reason": "v1 is retired"},
        )
        expect(answer.status_code == 200, f"deactivation was answered {answer.status_code} {answer.text}")
        for instance in self.urls.data_planes:
            await self._eventually(partial(self._is_missing, instance, self.retired))
        last = await self._get(self.urls.data_planes[0], self.retired)
        self.say(f"{last.status_code} {last.json()['title']}: {last.json()['detail']}")

    async def ask_audit(self) -> None:
        """Ask the audit trail who did it"""
        tenant, service, env, version = self.retired.path.split("/")
        url = f"{self.urls.audit}/api/v1/audit/route?tenant={tenant}&service={service}&env={env}&version={version}"
        await self._eventually(partial(self._last_action_is, url, "deactivated"))
        event = (await self.http.get(url, headers=self._editor(self.retired))).json()["events"][0]
        expect(event["changed_by"] == EDITOR, f"changed_by is {event['changed_by']}")
        self.say(f"{event['changed_by']} {event['action']} {self.retired.path} at {event['occurred_at']}")
        self.say(f"because {event['reason']!r}; it was {event['previous_state']} at {event['previous_url']}")

    def show_addresses(self) -> None:
        """Where each service and its API description listens."""
        table = Table("service", "listens at", "API", box=None)
        for name, url in self.urls.named().items():
            table.add_row(name, url, f"{url}/schema")
        self.console.print(table)
        self.console.print(
            "Addresses and the admin's key to source: .local/env. Stop everything: make down", style="dim"
        )

    def say(self, line: str) -> None:
        self.console.print(f"  {line}", highlight=False, soft_wrap=True)

    def _control(self, route: SampleRoute) -> str:
        return f"{self.urls.control_plane}{route.control_path}"

    @staticmethod
    def _resolver(instance: str, route: SampleRoute) -> str:
        return f"{instance}/api/v1/resolve/{route.path}"

    async def _put(self, route: SampleRoute, url: str, reason: str) -> httpx2.Response:
        body = {"url": url, "reason": reason}
        return await self.http.put(self._control(route), headers=self._editor(route), json=body)

    async def _get(self, instance: str, route: SampleRoute) -> httpx2.Response:
        return await self.http.get(self._resolver(instance, route), headers=self.keys[route.tenant, "resolver"])

    def _editor(self, route: SampleRoute) -> dict[str, str]:
        return self.keys[route.tenant, "editor"]

    async def _knows(self, instance: str, key: dict[str, str]) -> bool:
        return (await self.http.get(self._resolver(instance, self.moved), headers=key)).status_code != 401

    async def _resolve_all(self, instance: str) -> tuple[Counter[str], list[float]]:
        by: Counter[str] = Counter()
        times = []
        for route in self.routes:
            started = time.perf_counter()
            answer = await self._get(instance, route)
            times.append((time.perf_counter() - started) * 1000)
            expect(answer.status_code == 200 and answer.json()["url"] == route.url, f"{route.path}: {answer.text}")
            by[answer.headers["x-cache"]] += 1
        return by, sorted(times)

    async def _until_url(self, instance: str, route: SampleRoute, url: str) -> float:
        async def answers() -> bool:
            answer = await self._get(instance, route)
            return answer.status_code == 200 and answer.json()["url"] == url

        await self._eventually(answers)
        return time.perf_counter()

    async def _live_everywhere(self, route: SampleRoute, revision: str) -> float:
        """When the control plane said that every resolver process has the change set."""
        tenant = f"{self.urls.control_plane}/api/v1/tenants/{route.tenant}"
        answer = await self.http.get(
            f"{tenant}/changes/{revision}/propagation", params={"wait": SECONDS / 2}, headers=self._editor(route)
        )
        expect(answer.status_code == 200, f"where it is live was answered {answer.status_code} {answer.text}")
        expect(answer.json()["live_everywhere"], f"not live everywhere: {answer.text}")
        return time.perf_counter()

    async def _is_missing(self, instance: str, route: SampleRoute) -> bool:
        return (await self._get(instance, route)).status_code == 404

    async def _last_action_is(self, url: str, action: str) -> bool:
        answer = await self.http.get(url, headers=self._editor(self.retired))
        events = answer.json()["events"] if answer.status_code == 200 else []
        return bool(events) and events[0]["action"] == action

    @staticmethod
    async def _eventually(holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(SECONDS):
            while not await holds():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(POLL)


async def run(console: Console) -> None:
    """Every step on the local stack. Raises DidNotHold, or an HTTP error when something does not answer."""
    async with httpx2.AsyncClient(timeout=SECONDS) as http:
        demo = Demo(LocalUrls.read(DEFAULT_STATE), http, console)
        steps = (demo.let_in, demo.apply, demo.resolve_everywhere, demo.restart, demo.move, demo.retire, demo.ask_audit)
        for number, step in enumerate(steps, start=1):
            console.print(f"\n[bold]{number}. {step.__doc__}[/bold]")
            await step()
        console.print("\n[bold green]All of it held.[/bold green]")
        demo.show_addresses()


def main() -> int:
    """0 when all of it held, 1 otherwise."""
    console = Console()
    try:
        asyncio.run(run(console))
    except (DidNotHold, httpx2.HTTPError, TimeoutError) as error:
        console.print(f"[bold red]It did not hold:[/bold red] {error or type(error).__name__}", highlight=False)
        console.print("What the services say: make logs. What runs: make status.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
