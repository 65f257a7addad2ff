"""A load under way, and those who wait for it."""

import asyncio

from data_plane.domain.read_consistency import ReadConsistency
from data_plane.service.loading.source_chain import Found
from shared.schemas.identity import RouteKey


class PendingLoad:
    """One load. Each who waits has a future of its own, so that who stops waiting ends nothing for the others."""

    __slots__ = ("_waiters", "demand", "is_over", "key", "reading", "turn")

    def __init__(self, key: RouteKey, demand: ReadConsistency, turn: "LoadBatch") -> None:
        self.key = key
        self.demand = demand
        self.turn = turn
        self.is_over = False
        self.reading: asyncio.Task[None] | None = None
        """The part of it that asks the databases."""
        self._waiters: list[asyncio.Future[Found | None]] = []

    def join(self) -> "asyncio.Future[Found | None]":
        """Wait for it as well."""
        answer: asyncio.Future[Found | None] = self.turn.loop.create_future()
        self._waiters.append(answer)
        return answer

    def tell(self, found: Found | None) -> None:
        """What it has found, to everyone who still waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(found)

    def tell_error(self, error: Exception) -> None:
        """Why it failed, to everyone who still waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def cancel(self) -> None:
        """Whoever waits is cancelled."""
        for waiter in self._waiters:
            waiter.cancel()

    def end(self) -> None:
        """It is over; the last one of its turn needs no timer any more."""
        self.is_over = True
        self.turn.under_way -= 1
        if not self.turn.under_way:
            self.turn.timer.cancel()


class LoadBatch:
    """The flights that began in one turn of the event loop, and so run out of time together."""

    __slots__ = ("flights", "loop", "timer", "under_way")

    timer: asyncio.TimerHandle

    def __init__(self) -> None:
        # To ask for it is a system call, which would cost as much as all else that a flight does.
        self.loop = asyncio.get_running_loop()
        self.flights: list[PendingLoad] = []
        self.under_way = 0

    def add(self, flight: PendingLoad) -> None:
        self.flights.append(flight)
        self.under_way += 1
