"""Writes at a fixed rate: one writer for each tenant, and every attempt, so that acknowledged writes can be looked for."""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx2

from bench.faults.commit_history import CommitHistory
from bench.faults.zipf_load import Zipf

PATIENCE_SECONDS = 5.0
AGAIN_SECONDS = 0.2
NO_ANSWER = 0
DEACTIVATED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a writer. `status` 0: no answer. Times are monotonic."""

    begun: float
    ended: float
    status: int
    has_retry_after: bool = False

    @property
    def took(self) -> float:
        """Seconds from the request to its answer."""
        return self.ended - self.begun

    @property
    def is_ok(self) -> bool:
        """Whether the write was acknowledged."""
        return self.status == httpx2.codes.OK


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A write that the control plane acknowledged as committed with this revision; `url` None: a deactivation."""

    tenant: str
    revision: int
    route: int
    url: str | None


@dataclass
class Written:
    """The attempts of one phase."""

    attempts: list[Attempt] = field(default_factory=list)

    @property
    def refused(self) -> Sequence[Attempt]:
        """The attempts that were not acknowledged."""
        return [each for each in self.attempts if not each.is_ok]

    @property
    def acknowledged(self) -> Sequence[Attempt]:
        """The other attempts."""
        return [each for each in self.attempts if each.is_ok]


class Writers:
    """One writer per tenant, which writes its routes in turn as drawn by Zipf's law. Routes belong to the tenants in turn.

    A write is repeated with its idempotency key until it is acknowledged, because a failed one may have been committed.
    """

    def __init__(self, history: CommitHistory, tenants: Sequence[str], key: str, routes: int) -> None:
        self._history = history
        self._tenants = tenants
        self._headers = {"Authorization": f"Bearer {key}"}
        self._routes = routes
        self._numbers = itertools.count()
        self.base_url = ""
        """Of the control plane that writes are sent to."""
        self.acknowledged: list[Acknowledged] = []
        self.changed: set[int] = set()
        """Routes written since they were last cleared."""

    async def run(self, written: Written, rate: float, enough: asyncio.Event, at_most: int | None = None) -> None:
        """Write at this rate per second over all tenants, until there is enough. Returns when every write is acknowledged."""
        limits = httpx2.Limits(max_connections=4 * len(self._tenants))
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS, headers=self._headers, limits=limits) as http,
            asyncio.TaskGroup() as group,
        ):
            each_has = None if at_most is None else at_most // len(self._tenants)
            for number in range(len(self._tenants)):
                pause = len(self._tenants) / rate
                group.create_task(self._write_tenant(http, number, pause, written, enough, each_has))

    async def _write_tenant(
        self,
        http: httpx2.AsyncClient,
        number: int,
        pause: float,
        written: Written,
        enough: asyncio.Event,
        at_most: int | None,
    ) -> None:
        tenants = len(self._tenants)
        zipf, chance = Zipf(self._routes // tenants, seed=number), random.Random(number)
        due = time.monotonic() + pause * number / tenants
        for _ in itertools.count() if at_most is None else range(at_most):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if enough.is_set():
                return
            url = None if chance.random() < DEACTIVATED_SHARE else f"http://write/{next(self._numbers)}"
            await self.put(http, zipf.draw() * tenants + number, url, written)
            due = max(due + pause, time.monotonic() - 1)  # an outage is not made up for by a burst

    async def put(self, http: httpx2.AsyncClient, route: int, url: str | None, written: Written) -> None:
        """Write a route until it is acknowledged."""
        write = self._history.begin(route, url, time.monotonic())
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        self.changed.add(route)
        while True:
            if await self._accepted(http, route, url, headers, written):
                write.acknowledged = time.monotonic()
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _accepted(
        self, http: httpx2.AsyncClient, route: int, url: str | None, headers: Mapping[str, str], written: Written
    ) -> bool:
        tenant, begun = self._tenants[route % len(self._tenants)], time.monotonic()
        path = f"{self.base_url}/api/v1/tenants/{tenant}/changes"
        try:
            answer = await http.post(path, json={"changes": [change_of(route, url)]}, headers=headers)
        except httpx2.TransportError:
            written.attempts.append(Attempt(begun, time.monotonic(), NO_ANSWER))
            return False
        attempt = Attempt(begun, time.monotonic(), answer.status_code, "Retry-After" in answer.headers)
        written.attempts.append(attempt)
        if attempt.is_ok and answer.json()["committed"]:
            self.acknowledged.append(Acknowledged(tenant, answer.json()["revision"], route, url))
        return attempt.is_ok


def change_of(route: int, url: str | None) -> dict[str, object]:
    """The change in a change set."""
    name = {"service": f"s-{route}", "env": "prod", "version": "v1"}
    return {"op": "deactivate", **name} if url is None else {"op": "put", **name, "url": url}
