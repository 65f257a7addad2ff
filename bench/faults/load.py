"""The load during a fault: writes and resolves at fixed rates, and the check of every answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from bench.faults.commit_history import CommitHistory, Judge, Promise, Resolved, Shown
from bench.faults.stalls import Stalls
from bench.faults.writing import Writers, Written, change_of
from bench.faults.zipf_load import ZipfLoad
from tests.support.waiting import eventually

AT_ONCE = 500
"""Changes in a change set."""
RECOVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rates:
    """R resolves a second over this many routes, W writes a second over the tenants."""

    resolves: float = 500.0
    writes: float = 20.0
    routes: int = 10_000
    cold_routes: int = 500
    """Further routes, which exist and are not resolved by the load."""
    tenants: int = 8


@dataclass
class Phase:
    """What a part of the load met: the judged answers, the attempts to write, and the stalls of the loading process."""

    judge: Judge
    written: Written = field(default_factory=Written)
    stalls: Stalls = field(default_factory=Stalls)

    def latencies(self) -> list[float]:
        """Seconds from when each resolve was due to its answer, without the stalls of the loading process, sorted."""
        return sorted(self.stalls.without(self.judge.spans))

    def percentile(self, share: float) -> float:
        """The latency that this share of the resolves kept, in seconds; 0 without any."""
        latencies = self.latencies()
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))] if latencies else 0.0

    @property
    def p99(self) -> float:
        """The 99th percentile of the latency, in seconds."""
        return self.percentile(0.99)


class Load:
    """Writers of all tenants, and readers at all instances."""

    def __init__(
        self,
        control_url: str,
        instances: Sequence[str],
        *,
        tenants: Sequence[str],
        key: str,
        rates: Rates,
        promise: Promise,
    ) -> None:
        """`key`: an admin's access key. `promise`: what the answers must keep."""
        self.rates = rates
        self.tenants = tenants
        self.instances = instances
        self.history = CommitHistory()
        self.writers = Writers(self.history, tenants, key, rates.routes)
        self.writers.base_url = control_url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._promise = promise
        self._shown: Shown = {}
        self._note: Callable[[Resolved], None] = self._new_judge().note
        self._key = key
        self.readers = self.readers_of(instances)

    def readers_of(self, instances: Sequence[str]) -> ZipfLoad:
        """Readers at these instances; the current phase gets their answers."""
        return ZipfLoad(instances, self.tenants, self._key, self.rates.routes, self._pass_on)

    def _pass_on(self, answer: Resolved) -> None:
        self._note(answer)

    @property
    def cold_routes(self) -> range:
        """Routes that exist and that the load does not resolve."""
        return range(self.rates.routes, self.rates.routes + self.rates.cold_routes)

    def path_of(self, route: int) -> str:
        """`tenant/service/env/version`."""
        return f"{self.tenants[route % len(self.tenants)]}/s-{route}/prod/v1"

    async def prepare(self) -> None:
        """Create the tenants, write every route once, and resolve it once at every instance, except for the cold ones."""
        async with httpx2.AsyncClient(trust_env=False, timeout=30, headers=self._headers) as http:
            for number, tenant in enumerate(self.tenants):
                base = f"{self.writers.base_url}/api/v1/tenants/{tenant}"
                (await http.put(base)).raise_for_status()
                own = range(number, self.rates.routes + self.rates.cold_routes, len(self.tenants))
                for start in range(0, len(own), AT_ONCE):
                    await self._create(http, base, own[start : start + AT_ONCE])
        last = self.rates.routes - 1
        for instance in self.instances:
            await self.until_answered(instance, last, f"http://first/{last}")
        await self.warm()

    async def _create(self, http: httpx2.AsyncClient, base: str, routes: Sequence[int]) -> None:
        writes = [self.history.begin(each, f"http://first/{each}", time.monotonic()) for each in routes]
        changes = [change_of(route, write.url) for route, write in zip(routes, writes, strict=True)]
        (await http.post(f"{base}/changes", json={"changes": changes})).raise_for_status()
        for each in writes:
            each.acknowledged = time.monotonic()

    async def warm(self) -> None:
        """Resolve every route once at every instance."""
        self._note = self._new_judge().note
        await self.readers.ask_each_once()

    async def answers(self, routes: Iterable[int]) -> dict[tuple[str, int], Resolved]:
        """The answer of every instance for each of these routes. Not to be called while the load runs."""
        found: dict[tuple[str, int], Resolved] = {}
        self._note = lambda answer: found.update({(answer.instance, answer.route): answer})
        await self.readers.ask_each_once(routes)
        return found

    @asynccontextmanager
    async def running(self, *, writes: bool = True, readers: ZipfLoad | None = None) -> AsyncIterator[Phase]:
        """Write and resolve while the block runs. At its end every write is acknowledged. `readers`: instead of the usual ones."""
        phase = Phase(self._new_judge())
        self._note = phase.judge.note
        enough = asyncio.Event()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(phase.stalls.observed())
            group = await stack.enter_async_context(asyncio.TaskGroup())
            if writes:
                group.create_task(self.writers.run(phase.written, self.rates.writes, enough))
            asking = group.create_task((readers or self.readers).run(self.rates.resolves))
            try:
                yield phase
            finally:
                # The last writes are waited for: they could otherwise be committed after those that come next.
                enough.set()
                asking.cancel()

    @asynccontextmanager
    async def writing_to(self, control_url: str) -> AsyncIterator[None]:
        """Writes go to this control plane while the block runs."""
        before, self.writers.base_url = self.writers.base_url, control_url
        try:
            yield
        finally:
            self.writers.base_url = before

    async def write_many(self, count: int, rate: float) -> Written:
        """Write so many change sets at this rate, at most."""
        written = Written()
        await self.writers.run(written, rate, asyncio.Event(), at_most=count)
        return written

    async def until_answered(self, instance: str, route: int, url: str | None) -> None:
        """Wait until the instance answers with this URL (None: a 404)."""

        async def answered() -> bool:
            answer = await self.readers.answer_of(instance, route)
            return answer.status in (200, 404) and answer.url == url

        await eventually(answered, within=RECOVERY_SECONDS, every=0.05)

    def _new_judge(self) -> Judge:
        return Judge(self.history, self._promise, self._shown)
