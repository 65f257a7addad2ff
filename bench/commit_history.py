"""What a writer has committed, and whether an answer can be squared with it.

Times are seconds of one monotonic clock, that of the process which writes and asks.
"""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Write:
    """One write of a route; `url` None deactivates it. It was committed some time between `begun` and `acknowledged`."""

    url: str | None
    begun: float
    acknowledged: float = math.inf


class CommitHistory:
    """Every write of every route. A route's next write begins only when the one before was acknowledged."""

    def __init__(self) -> None:
        self._writes: dict[int, list[Write]] = defaultdict(list)

    def begin(self, route: int, url: str | None, at: float) -> Write:
        """Note a write before it is sent. Set its `acknowledged` when it is."""
        self._writes[route].append(Write(url, at))
        return self._writes[route][-1]

    def wrong_for(self, route: int, url: str | None, *, asked: float, answered: float) -> float | None:
        """For how long, at least, this answer had been wrong when it was asked for. None: it never was the value."""
        writes = self._writes[route]
        for place in reversed(range(len(writes))):
            if writes[place].url == url and writes[place].begun <= answered:
                replaced = writes[place + 1].acknowledged if place + 1 < len(writes) else math.inf
                return max(0.0, asked - replaced)
        return None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an instance answered. Status 0: nothing. `bound` in seconds; None: it is not known."""

    instance: str
    route: int
    asked: float
    answered: float
    status: int
    url: str | None = None
    revision: int = 0
    bound: float | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Promise:
    """How old an answer may be that is not marked stale, in seconds."""

    positive: float = 60.0
    negative: float = 10.0


@dataclass
class Judge:
    """Counts answers, and writes down each that breaks a promise. Every route is known to every instance."""

    history: CommitHistory
    promise: Promise
    statuses: Counter[int] = field(default_factory=Counter)
    stale: int = 0
    wrong: int = 0
    longest_wrong: float = 0.0
    seconds: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _revisions: dict[tuple[str, int], int] = field(default_factory=dict)

    def note(self, answer: Resolved) -> None:
        """Look at one answer; those of one instance and route in the order they were asked for, one at a time."""
        self.statuses[answer.status] += 1
        self.stale += answer.stale
        self.seconds.append(answer.answered - answer.asked)
        complaint = self._complaint(answer)
        if complaint is not None:
            self.broken.append(f"{answer.instance}, route {answer.route}: {complaint}")

    def _complaint(self, answer: Resolved) -> str | None:
        if answer.status not in (200, 404):
            return f"a route it knew was not answered ({answer.status or 'no answer'})"
        wrong_for = self.history.wrong_for(answer.route, answer.url, asked=answer.asked, answered=answer.answered)
        if wrong_for is None:
            return f"{answer.url} never was the route's"
        self.wrong += wrong_for > 0
        self.longest_wrong = max(self.longest_wrong, wrong_for)
        if answer.bound is not None and wrong_for > answer.bound:
            return f"{answer.url} had been wrong for {wrong_for:.3f} s, its bound said {answer.bound:.3f} s"
        life = self.promise.positive if answer.status == 200 else self.promise.negative
        if wrong_for > life and not answer.stale:
            return f"{answer.url} had been wrong for {wrong_for:.3f} s and was not marked stale"
        return self._went_back(answer) if answer.status == 200 else None

    def _went_back(self, answer: Resolved) -> str | None:
        place = answer.instance, answer.route
        before = self._revisions.get(place, 0)
        self._revisions[place] = max(before, answer.revision)
        return f"revision {answer.revision} after {before}" if answer.revision < before else None
