"""The metrics of a service, as far as the rows need them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx2

from tests.support.waiting import eventually


@dataclass(frozen=True, slots=True)
class Measures:
    """The series of one or several processes at one moment, by the line of `/metrics` without its value."""

    series: Mapping[str, float]

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of this name with these labels."""
        return sum(self._values(name, labels))

    def highest(self, name: str, **labels: str) -> float:
        """The greatest value of these series; 0 without any."""
        return max(self._values(name, labels), default=0.0)

    def _values(self, name: str, labels: Mapping[str, str]) -> list[float]:
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return [
            value
            for line, value in self.series.items()
            if line.partition("{")[0] == name and all(each in line for each in wanted)
        ]

    def since(self, before: "Measures") -> "Measures":
        """How much each series has grown."""
        return Measures({line: value - before.series.get(line, 0.0) for line, value in self.series.items()})

    def slower_than(self, histogram: str, seconds: str) -> float:
        """Observations of a histogram above one of its edges, which is written as `/metrics` does."""
        return self.total(f"{histogram}_count") - self.total(f"{histogram}_bucket", le=seconds)


async def measure(http: httpx2.AsyncClient, urls: Sequence[str]) -> Measures:
    """The sum over these processes; a process that does not answer is left out."""
    series: dict[str, float] = {}
    for url in urls:
        try:
            text = (await http.get(f"{url}/metrics", timeout=2)).text
        except httpx2.TransportError:
            continue
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                series[name] = series.get(name, 0.0) + float(value)
    return Measures(series)


async def seconds_until(
    http: httpx2.AsyncClient, url: str, condition: Callable[[Measures], bool], *, since: float, within: float
) -> float:
    """Seconds from `since` (monotonic) until the process at this URL meets the condition. Infinite if it does not in time."""

    async def met() -> bool:
        return condition(await measure(http, [url]))

    try:
        await eventually(met, within=within, every=0.05)
    except AssertionError:
        return float("inf")
    return time.monotonic() - since
