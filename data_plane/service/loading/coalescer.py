"""What the process does not know is looked up once for all who wait for it, and together with what others miss."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Protocol

from data_plane.domain.entry import Entry
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.service.loading.flights import LoadBatch, PendingLoad
from data_plane.service.loading.source_chain import Found
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.schemas.identity import RouteKey

MOST_TOGETHER = 250
"""Keys in one look into the shared cache; those who asked first must not wait long for the last."""


class Sources(Protocol):
    """Who is asked: a RouteLoader."""

    async def look_up(self, keys: Sequence[RouteKey]) -> Sequence[Found | None]: ...

    def satisfies(self, entry: Entry, demand: ReadConsistency) -> bool: ...

    async def read(self, key: RouteKey, demand: ReadConsistency) -> Found | None: ...


class Loads:
    """One load at a time for each key and demand.

    All that come up in one turn of the event loop look into the shared cache together, one look at a time: what comes in
    meanwhile shares the next one. What is not there is read from the databases key by key (their adapters batch again).
    """

    def __init__(self, sources: Sources, *, deadline: float, metrics: Metrics) -> None:
        """`deadline`: seconds for one load, from its first question to its answer."""
        self._sources = sources
        self._deadline = deadline
        self._flights: dict[tuple[RouteKey, ReadConsistency], PendingLoad] = {}
        self._waiting: list[PendingLoad] = []
        self._looking: asyncio.Task[None] | None = None
        self._readings: set[asyncio.Task[None]] = set()
        self._turn: LoadBatch | None = None
        loads = metrics.counter("tm_loads_total")
        self._loaded = BufferedCounter(metrics, loads.labels("loaded").inc)
        self._coalesced = BufferedCounter(metrics, loads.labels("coalesced").inc)
        self._failed = BufferedCounter(metrics, loads.labels("failed").inc)

    def find(self, key: RouteKey, demand: ReadConsistency = ANY) -> "asyncio.Future[Found | None]":
        """The newest knowledge of the key; None when nobody could tell in time.

        May be past its life, or less than demanded: then nobody knows better. Who stops waiting does not stop the load.
        """
        flight = self._flights.get((key, demand))
        if flight is None:
            flight = self._begin(key, demand)
        else:
            self._coalesced.count += 1
        return flight.join()

    def _begin(self, key: RouteKey, demand: ReadConsistency) -> PendingLoad:
        turn = self._turn or self._begin_turn()
        flight = self._flights[key, demand] = PendingLoad(key, demand, turn)
        turn.add(flight)
        self._waiting.append(flight)
        return flight

    def _begin_turn(self) -> LoadBatch:
        turn = self._turn = LoadBatch()
        turn.timer = turn.loop.call_later(self._deadline, self._give_up, turn)
        # Not at once: others who are ready to run now may miss something too.
        turn.loop.call_soon(self._end_turn)
        return turn

    def _end_turn(self) -> None:
        self._turn = None
        self._depart()

    def _depart(self) -> None:
        while self._looking is None and self._waiting:
            batch = [flight for flight in self._waiting[:MOST_TOGETHER] if not flight.is_over]
            del self._waiting[:MOST_TOGETHER]
            if batch:
                # In a context of its own: the first caller's id and deadline are not those of all who come after it.
                self._looking = asyncio.create_task(self._look_up(batch), context=Context())
                self._looking.add_done_callback(self._returned)

    def _returned(self, _: asyncio.Task[None]) -> None:
        self._looking = None
        self._depart()

    async def _look_up(self, batch: Sequence[PendingLoad]) -> None:
        try:
            found = await self._sources.look_up([flight.key for flight in batch])
            for flight, each in zip(batch, found, strict=True):
                if each is not None and self._sources.satisfies(each.entry, flight.demand):
                    self._land(flight, each)
                elif not flight.is_over:
                    self._begin_reading(flight, each)
        except Exception as error:  # noqa: BLE001 - told to everyone who waits for it
            for flight in batch:
                self._fail(flight, error)

    def _begin_reading(self, flight: PendingLoad, shared: Found | None) -> None:
        flight.reading = reading = flight.turn.loop.create_task(self._read(flight, shared))
        self._readings.add(reading)
        reading.add_done_callback(self._readings.discard)

    async def _read(self, flight: PendingLoad, shared: Found | None) -> None:
        try:
            found = await self._sources.read(flight.key, flight.demand) or shared
        except Exception as error:  # noqa: BLE001 - told to everyone who waits for it
            self._fail(flight, error)
        else:
            self._land(flight, found)

    def _give_up(self, turn: LoadBatch) -> None:
        """The time of these is up."""
        for flight in turn.flights:
            if flight.reading is not None and not flight.is_over:
                flight.reading.cancel()
            self._land(flight, None)

    def _land(self, flight: PendingLoad, found: Found | None) -> None:
        if not flight.is_over:
            self._end(flight)
            (self._failed if found is None else self._loaded).count += 1
            flight.tell(found)

    def _fail(self, flight: PendingLoad, error: Exception) -> None:
        if not flight.is_over:
            self._end(flight)
            self._failed.count += 1
            flight.tell_error(error)

    def _end(self, flight: PendingLoad) -> None:
        flight.end()
        del self._flights[flight.key, flight.demand]

    async def close(self) -> None:
        """End the loads under way; whoever waits for them is cancelled."""
        for flight in list(self._flights.values()):
            self._end(flight)
            flight.cancel()
        # Those that were given up a moment ago too: what they ask must not be closed under them.
        tasks = {*self._readings, *([self._looking] if self._looking else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
