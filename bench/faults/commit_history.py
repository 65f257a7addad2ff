"""The history of commits, and whether an answer is consistent with it.

Times are seconds of one monotonic clock: that of the process that writes and resolves.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Write:
    """One write of a route; `url` None deactivates it. It was committed some time between `begun` and `acknowledged`."""

    url: str | None
    begun: float
    acknowledged: float = math.inf


class CommitHistory:
    """Every write of every route. A route's next write begins after the previous one was acknowledged."""

    def __init__(self) -> None:
        self._writes: dict[int, list[Write]] = defaultdict(list)
        self._places: dict[tuple[int, str | None], list[int]] = defaultdict(list)

    def begin(self, route: int, url: str | None, at: float) -> Write:
        """Record a write before it is sent. The caller sets `acknowledged` afterwards."""
        writes = self._writes[route]
        self._places[route, url].append(len(writes))
        writes.append(Write(url, at))
        return writes[-1]

    def places(self, route: int, url: str | None, *, begun_by: float) -> list[int]:
        """The indexes in the route's history at which this was written, oldest first: one for a URL, any number for None."""
        writes = self._writes[route]
        return [place for place in self._places.get((route, url), ()) if writes[place].begun <= begun_by]

    def wrong_for(self, route: int, place: int, *, asked: float) -> float:
        """The least time for which the write at this index had been replaced when the request was sent."""
        newer = self._writes[route][place + 1 : place + 2]
        return max(0.0, asked - newer[0].acknowledged) if newer else 0.0

    def current(self) -> dict[int, str | None]:
        """The URL of the last write of every route; None where it is a deactivation."""
        return {route: writes[-1].url for route, writes in self._writes.items()}


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer of an instance. Status 0: none. `bound` in seconds; None: unknown.

    `asked`: when the request was sent; the answer's staleness counts from it. `due`: when it should have been sent; the latency
    counts from it, so that a slow answer that delays the next request counts for both. None: equal to `asked`.
    """

    instance: str
    route: int
    asked: float
    answered: float
    status: int
    url: str | None = None
    bound: float | None = None
    stale: bool = False
    due: float | None = None

    @property
    def since(self) -> float:
        """When the request was due."""
        return self.asked if self.due is None else self.due


@dataclass(frozen=True, slots=True)
class Promise:
    """The greatest staleness of an answer that is not marked stale, in seconds."""

    positive: float = 60.0
    negative: float = 10.0


Shown = dict[tuple[str, int], int]
"""By instance and route, the newest write that an answer has shown."""


@dataclass
class Judge:
    """Counts answers, and records each violation. Every instance has loaded every route.

    `unknown`: answers without a bound. `spans`: when each request was due, and when it was answered. Judges that follow each
    other share `shown`, so that an instance may not go back from one to the next either.
    """

    history: CommitHistory
    promise: Promise
    shown: Shown = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    stale: int = 0
    unknown: int = 0
    wrong: int = 0
    longest_wrong: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def unanswered(self) -> int:
        """Requests without an answer, or with another status than 200 and 404."""
        return sum(count for status, count in self.statuses.items() if status not in (200, 404))

    def note(self, answer: Resolved) -> None:
        """Check one answer. Those of one instance and route are passed one at a time, in the order of the requests."""
        self.statuses[answer.status] += 1
        self.stale += answer.stale
        self.spans.append((answer.since, answer.answered))
        complaint = self._complaint(answer)
        if complaint is not None:
            self.broken.append(f"{answer.instance}, route {answer.route}: {complaint}")

    def _complaint(self, answer: Resolved) -> str | None:
        if answer.status not in (200, 404):
            return f"a route it knew was not answered ({answer.status or 'no answer'})"
        self.unknown += answer.bound is None
        places = self.history.places(answer.route, answer.url, begun_by=answer.answered)
        if not places:
            return f"{answer.url} never was the route's"
        return self._too_old(answer, places[-1]) or self._went_back(answer, places)

    def _too_old(self, answer: Resolved, place: int) -> str | None:
        wrong_for = self.history.wrong_for(answer.route, place, asked=answer.asked)
        self.wrong += wrong_for > 0
        self.longest_wrong = max(self.longest_wrong, wrong_for)
        if answer.bound is not None and wrong_for > answer.bound:
            return f"{answer.url} had been wrong for {wrong_for:.3f} s, its bound said {answer.bound:.3f} s"
        life = self.promise.positive if answer.status == 200 else self.promise.negative
        if wrong_for > life and not answer.stale:
            return f"{answer.url} had been wrong for {wrong_for:.3f} s and was not marked stale"
        return None

    def _went_back(self, answer: Resolved, places: Sequence[int]) -> str | None:
        """The answer may be any of these writes. Each earlier answer is assumed to be the oldest possible one."""
        of = answer.instance, answer.route
        shown = self.shown.get(of, 0)
        if places[-1] < shown:
            return f"{answer.url} (write {places[-1]} of the route) after write {shown}: it went back"
        self.shown[of] = places[bisect_left(places, shown)]
        return None
