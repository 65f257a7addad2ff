"""Since when, and until when, every change was heard. The argument is in docs/adr/0013."""

import math
from collections.abc import Iterable, Mapping

from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import LocalTime
from shared.schemas.events import Heartbeat


class StreamCoverage:
    """What the event stream vouches for: the heartbeats that were applied, and the moments before which events may
    have gone unheard.

    Heartbeats are on the primary's clock, the moments in seconds of the local monotonic clock.
    """

    def __init__(self) -> None:
        self._since = LocalTime(math.inf)
        self._missed: dict[str, LocalTime] = {}
        self._heartbeats: dict[int, PrimaryTime] = {}
        self._offsets: dict[int, int] = {}
        self._until = UNPROVEN
        self.changes = 0
        """Grows whenever `until` or anything's `since` has changed."""

    @property
    def until(self) -> PrimaryTime:
        """Every change that was acknowledged before then, and after `since`, is applied. -inf: nothing is known."""
        return self._until

    @property
    def offsets(self) -> Mapping[int, int]:
        """By partition, the offset that will be applied next."""
        return self._offsets

    @property
    def heartbeats(self) -> Mapping[int, PrimaryTime]:
        """By partition, the last heartbeat applied; -inf before the first."""
        return self._heartbeats

    def listen(self, offsets: Mapping[int, int], *, at: LocalTime, resumed: bool) -> None:
        """The stream was opened at these offsets, which are at or before the topic's ends as they were `at` that moment.

        `resumed`: it goes on from where it was before, so that nothing went unheard in between.
        """
        if not resumed or self._since == math.inf:
            self._since = at
            self._missed.clear()
            self.changes += 1
        self._offsets = dict(offsets)
        self._heartbeats = {partition: self._heartbeats.get(partition, UNPROVEN) for partition in offsets}

    def applied(self, partition: int, offset: int, heartbeats: Iterable[Heartbeat] = ()) -> None:
        """Everything in the partition before `offset` is applied, and these heartbeats stood there."""
        self._offsets[partition] = offset
        for each in heartbeats:
            # One that was written to other partitions than are read here says nothing of those that are not read.
            if each.partitions == len(self._offsets):
                known = self._heartbeats.get(partition, UNPROVEN)
                self._heartbeats[partition] = max(known, PrimaryTime(each.as_of.timestamp()))
        until = min(self._heartbeats.values(), default=UNPROVEN)
        if until != self._until:
            self._until = until
            self.changes += 1

    def missed(self, tenant: str, before: LocalTime) -> None:
        """Some of the tenant's events before this moment were not applied."""
        self._missed[tenant] = before
        self.changes += 1

    def since(self, tenant: str) -> LocalTime:
        """Every event of the tenant after this moment is heard sooner or later. inf: there is no stream yet."""
        missed = self._missed.get(tenant)
        return self._since if missed is None or missed < self._since else missed
