"""Entries that L1 keeps when it is full."""

from hypothesis import given, settings
from hypothesis import strategies as st

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State
from data_plane.domain.slot import path_of
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.s3_fifo import MAX_SPARED
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.support.active_values import url_of


def _entry(number: int, revision: int = 1) -> Entry:
    key = RouteKey("team-a", f"service-{number}", "prod", "v1")
    return Entry(
        key,
        State.ACTIVE,
        ActiveValue(f"https://{number}.example.com/{revision}"),
        revision,
        LocalTime(0.0),
        LocalTime(60.0),
        tenant_revision=revision,
    )


def _cache(capacity: int) -> L1Cache:
    return L1Cache(capacity, Metrics(Service.DATA_PLANE))


def _holds(cache: L1Cache, number: int) -> bool:
    return cache.slot(path_of(_entry(number).key)) is not None


@settings(max_examples=200, deadline=None)
@given(
    capacity=st.integers(1, 12),
    steps=st.lists(st.tuples(st.sampled_from(["store", "get"]), st.integers(0, 30), st.integers(1, 3)), max_size=150),
)
def test_cache_never_exceeds_its_capacity_or_returns_an_older_revision(
    capacity: int, steps: list[tuple[str, int, int]]
) -> None:
    cache, newest = _cache(capacity), dict.fromkeys(range(31), 0)
    for step, number, revision in steps:
        if step == "store":
            held = cache.store(_entry(number, revision))
            assert held is not None or revision < max(newest.values())  # one floor for a tenant
            newest[number] = max(newest[number], revision)
            assert held is None or held.revision <= newest[number]
        key = _entry(number).key
        known = cache.get(key, path_of(key))
        if known is not None:
            assert url_of(known.entry) == f"https://{number}.example.com/{known.entry.revision}"
    assert sum(_holds(cache, number) for number in range(31)) == min(
        capacity, sum(revision > 0 for revision in newest.values())
    )


def test_scan_does_not_evict_entries_in_use() -> None:
    cache, used = _cache(1000), range(500)
    for number in used:
        cache.store(_entry(number))
        for _ in range(3):
            _holds(cache, number)
    for number in range(10_000, 30_000):
        cache.store(_entry(number))
        _holds(cache, number)
    # A few go all the same: a store spares only so many before one has to go.
    assert sum(_holds(cache, number) for number in used) >= 0.98 * len(used)


def test_entry_that_returns_soon_after_its_eviction_is_kept() -> None:
    cache = _cache(100)
    cache.store(_entry(0))
    for number in range(1, 120):
        cache.store(_entry(number))
    assert not _holds(cache, 0)
    cache.store(_entry(0))
    for number in range(200, 280):
        cache.store(_entry(number))
    assert _holds(cache, 0)


def test_eviction_takes_few_steps_when_every_entry_is_in_use() -> None:
    cache = _cache(10 * MAX_SPARED)
    for number in range(10 * MAX_SPARED):
        cache.store(_entry(number))
    for number in range(10 * MAX_SPARED):
        for _ in range(3):
            _holds(cache, number)
    slots = [cache.slot(path_of(_entry(number).key)) for number in range(10 * MAX_SPARED)]
    cache.store(_entry(99_999))
    touched = sum(slot is not None and slot.uses < 3 for slot in slots)
    assert touched <= MAX_SPARED


def test_memory_is_estimated_from_the_entries() -> None:
    metrics = Metrics(Service.DATA_PLANE)
    cache = L1Cache(100, metrics)

    def estimate() -> float:
        text = metrics.exposition().decode()
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("tm_cache_bytes "))

    assert estimate() == 0
    for number in range(50):
        cache.store(_entry(number))
    assert 50 * 350 < estimate() < 50 * 500
