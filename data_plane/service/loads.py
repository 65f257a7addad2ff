"""What the process does not know is looked up once for all who wait for it, and together with what others miss."""

import asyncio
from collections import deque

from data_plane.domain.demand import NO_DEMAND, Demand
from data_plane.service.load import Found, RouteLoader
from shared.runtime.metrics import Metrics
from shared.runtime.tally import CountTally
from shared.schemas.identity import RouteKey

MOST_TOGETHER = 250
"""Keys in one look into the shared cache; those who asked first must not wait long for the last."""


class _Turn:
    """The flights that began in one turn of the event loop, and so run out of time together."""

    __slots__ = ("flights", "timer")

    timer: asyncio.TimerHandle

    def __init__(self) -> None:
        self.flights: set[_Flight] = set()


class _Flight:
    """One load, and those who wait for it. `reading`: the part of it that asks the databases."""

    __slots__ = ("demand", "key", "reading", "turn", "waiters")

    def __init__(self, key: RouteKey, demand: Demand, turn: _Turn) -> None:
        self.key = key
        self.demand = demand
        self.turn = turn
        self.waiters: list[asyncio.Future[Found | None]] = []
        self.reading: asyncio.Task[None] | None = None


class Loads:
    """One load at a time for each key and demand.

    All that come up in one turn of the event loop look into the shared cache together, one look at a time: what comes in
    meanwhile shares the next one. What is not there is read from the databases key by key (their adapters batch again).
    """

    def __init__(self, loader: RouteLoader, *, deadline: float, metrics: Metrics) -> None:
        """`deadline`: seconds for one load, from its first question to its answer."""
        self._loader = loader
        self._deadline = deadline
        self._flights: dict[tuple[RouteKey, Demand], _Flight] = {}
        self._waiting: deque[_Flight] = deque()
        self._looking: asyncio.Task[None] | None = None
        self._turn: _Turn | None = None
        loads = metrics.counter("tm_loads_total")
        self._loaded = CountTally(metrics, loads.labels("loaded").inc)
        self._coalesced = CountTally(metrics, loads.labels("coalesced").inc)
        self._failed = CountTally(metrics, loads.labels("failed").inc)

    def find(self, key: RouteKey, demand: Demand = NO_DEMAND) -> "asyncio.Future[Found | None]":
        """The newest knowledge of the key; None when nobody could tell in time.

        May be past its life, or less than demanded: then nobody knows better. Who stops waiting does not stop the load.
        """
        flight = self._flights.get((key, demand))
        if flight is None:
            flight = self._begin(key, demand)
        else:
            self._coalesced.count += 1
        answer: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        flight.waiters.append(answer)
        return answer

    def _begin(self, key: RouteKey, demand: Demand) -> _Flight:
        turn = self._turn or self._begin_turn()
        flight = self._flights[key, demand] = _Flight(key, demand, turn)
        turn.flights.add(flight)
        self._waiting.append(flight)
        return flight

    def _begin_turn(self) -> _Turn:
        loop, turn = asyncio.get_running_loop(), _Turn()
        self._turn = turn
        turn.timer = loop.call_later(self._deadline, self._give_up, turn)
        # Not at once: others who are ready to run now may miss something too.
        loop.call_soon(self._end_turn)
        return turn

    def _end_turn(self) -> None:
        self._turn = None
        self._depart()

    def _depart(self) -> None:
        if self._looking is None and self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MOST_TOGETHER, len(self._waiting)))]
            self._looking = asyncio.create_task(self._look_up(batch))
            self._looking.add_done_callback(self._returned)

    def _returned(self, _: asyncio.Task[None]) -> None:
        self._looking = None
        self._depart()

    async def _look_up(self, batch: list[_Flight]) -> None:
        try:
            found = await self._loader.look_up([flight.key for flight in batch])
        except Exception as error:  # noqa: BLE001 - told to everyone who waits for it
            for flight in batch:
                self._fail(flight, error)
            return
        for flight, each in zip(batch, found, strict=True):
            if each is not None and self._loader.will_do(each.entry, flight.demand):
                self._land(flight, each)
            elif flight in flight.turn.flights:
                flight.reading = asyncio.create_task(self._read(flight, each))

    async def _read(self, flight: _Flight, shared: Found | None) -> None:
        try:
            found = await self._loader.read(flight.key, flight.demand) or shared
        except Exception as error:  # noqa: BLE001 - told to everyone who waits for it
            self._fail(flight, error)
        else:
            self._land(flight, found)

    def _give_up(self, turn: _Turn) -> None:
        """The time of these is up."""
        for flight in list(turn.flights):
            if flight.reading is not None:
                flight.reading.cancel()
            self._land(flight, None)

    def _land(self, flight: _Flight, found: Found | None) -> None:
        if self._is_over(flight):
            return
        (self._failed if found is None else self._loaded).count += 1
        for waiter in flight.waiters:
            if not waiter.done():
                waiter.set_result(found)

    def _fail(self, flight: _Flight, error: Exception) -> None:
        if self._is_over(flight):
            return
        self._failed.count += 1
        for waiter in flight.waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def _is_over(self, flight: _Flight) -> bool:
        """Whether it had ended before. If not, it has now."""
        turn = flight.turn
        if flight not in turn.flights:
            return True
        turn.flights.remove(flight)
        del self._flights[flight.key, flight.demand]
        if not turn.flights:
            turn.timer.cancel()
        return False

    async def close(self) -> None:
        """End the loads under way."""
        flights, looking = list(self._flights.values()), self._looking
        self._waiting.clear()
        tasks = [flight.reading for flight in flights if flight.reading is not None]
        tasks += [looking] if looking else []
        for flight in flights:
            self._is_over(flight)
            for waiter in flight.waiters:
                waiter.cancel()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
