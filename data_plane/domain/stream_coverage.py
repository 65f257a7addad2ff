"""The period in which every change was received from the event stream; docs/adr/0013 has the proof."""

import math
from collections.abc import Iterable, Mapping

from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import LocalTime
from shared.schemas.events import Heartbeat


class StreamCoverage:
    """The heartbeats applied (on the primary's clock), and the local times before which events may be missing."""

    def __init__(self) -> None:
        self._since = LocalTime(math.inf)
        self._missed: dict[str, LocalTime] = {}
        self._heartbeats: dict[int, PrimaryTime] = {}
        self._offsets: dict[int, int] = {}
        self._until = UNPROVEN
        self.changes = 0
        """Grows whenever `until`, or `since` of any tenant, changes."""

    @property
    def until(self) -> PrimaryTime:
        """Every change that was acknowledged before this time and after `since` is applied. UNPROVEN: none is known to be."""
        return self._until

    @property
    def offsets(self) -> Mapping[int, int]:
        """The offset to apply next, by partition."""
        return self._offsets

    @property
    def heartbeats(self) -> Mapping[int, PrimaryTime]:
        """The last heartbeat applied, by partition; UNPROVEN before the first."""
        return self._heartbeats

    def begin(self, offsets: Mapping[int, int], *, at: LocalTime, resumed: bool) -> None:
        """The stream was opened at these offsets, none of them after the end of its partition at local time `at`.

        `resumed`: it continues where it was before, so that no event in between is missing.
        """
        if not resumed or self._since == math.inf:
            self._since = at
            self._missed.clear()
            self.changes += 1
        self._offsets = dict(offsets)
        self._heartbeats = {partition: self._heartbeats.get(partition, UNPROVEN) for partition in offsets}

    def mark_applied(self, partition: int, offset: int, heartbeats: Iterable[Heartbeat] = ()) -> None:
        """Every event of the partition before `offset` is applied; these heartbeats were among them."""
        self._offsets[partition] = offset
        for each in heartbeats:
            # A heartbeat that was written to another number of partitions proves nothing about those not read here.
            if each.partitions == len(self._offsets):
                last = self._heartbeats.get(partition, UNPROVEN)
                self._heartbeats[partition] = max(last, PrimaryTime(each.as_of.timestamp()))
        until = min(self._heartbeats.values(), default=UNPROVEN)
        if until != self._until:
            self._until = until
            self.changes += 1

    def mark_gap(self, tenant: str, before: LocalTime) -> None:
        """Some of the tenant's events before this time were not applied."""
        self._missed[tenant] = before
        self.changes += 1

    def since(self, tenant: str) -> LocalTime:
        """Every event of the tenant after this time is received sooner or later. inf: the stream is not open yet."""
        missed = self._missed.get(tenant)
        return self._since if missed is None or missed < self._since else missed
