"""Encoded change events are shared by the watches of a tenant, and bounded in bytes."""

from data_plane.http.sse.framing import ChangeEventCache, change_event
from tests.support.factories import history


def test_event_is_encoded_once_for_all_watches() -> None:
    (event,) = history("team-a", 1)
    cache = ChangeEventCache()
    assert cache.encode(event) is cache.encode(event)


def test_cached_events_are_bounded_in_bytes() -> None:
    events = history("team-a", 50)
    sizes = [len(change_event(each)) for each in events]
    cache = ChangeEventCache(max_bytes=3 * max(sizes))
    for each in events:
        cache.encode(each)
        assert cache.size <= 3 * max(sizes)
    assert cache.encode(events[-1]) is cache.encode(events[-1])


def test_event_larger_than_the_cache_is_encoded_and_not_kept() -> None:
    (event,) = history("team-a", 1)
    cache = ChangeEventCache(max_bytes=10)
    assert cache.encode(event) == change_event(event)
    assert cache.size == 0
