"""The resolver processes that are members of the fleet, by their reports and the times of these."""

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.fleet import FORGET_SECONDS, Fleet, Report
from shared.schemas.resolver_status import GONE_SECONDS
from tests.fakes.control_plane_propagation import status_of

names = st.sampled_from("abc")
timed_reports = st.tuples(st.floats(0, 30), names, st.none() | st.integers(0, 100))


def report(instance: str, offset: int | None = 0) -> Report:
    return Report(instance, None if offset is None else status_of(instance, offset))


def named(fleet: Fleet, now: float) -> dict[str, tuple[float, bool]]:
    return {each.status.instance: (each.silent_seconds, each.is_gone) for each in fleet.members(now)}


def test_process_is_a_member_until_it_withdraws() -> None:
    fleet = Fleet()
    fleet.restart([report("a"), report("b")], at=100)
    fleet.update([report("a", None)], at=101)
    assert named(fleet, 101) == {"b": (1, False)}


def test_silent_process_is_gone_until_its_next_report() -> None:
    fleet = Fleet()
    fleet.restart([report("a")], at=100)
    assert named(fleet, 100 + GONE_SECONDS - 0.1)["a"][1] is False
    assert named(fleet, 100 + GONE_SECONDS) == {"a": (GONE_SECONDS, True)}
    fleet.update([report("a")], at=120)
    assert named(fleet, 121) == {"a": (1, False)}


def test_silence_counts_from_the_restart_of_the_monitor() -> None:
    fleet = Fleet()
    fleet.restart([report("a")], at=100)
    fleet.restart([report("a")], at=300)
    assert named(fleet, 301) == {"a": (1, False)}


def test_process_without_reports_for_the_topics_retention_is_forgotten() -> None:
    fleet = Fleet()
    fleet.restart([report("a"), report("b")], at=100)
    fleet.restart([report("b")], at=200)
    assert set(named(fleet, 200)) == {"b"}
    fleet.update([report("c")], at=200 + FORGET_SECONDS)
    assert set(named(fleet, 200 + FORGET_SECONDS)) == {"c"}


@given(st.lists(timed_reports, max_size=30))
def test_member_has_its_last_reported_status(reports: list[tuple[float, str, int | None]]) -> None:
    fleet = Fleet()
    fleet.restart([], at=0)
    last: dict[str, tuple[float, int | None]] = {}
    for at, name, offset in sorted(reports, key=lambda each: each[0]):
        fleet.update([report(name, offset)], at)
        last[name] = (at, offset)
    members = fleet.members(31)
    assert {each.status.instance: each.status.partitions[0].next_offset for each in members} == {
        name: offset for name, (_, offset) in last.items() if offset is not None
    }
    assert [each.silent_seconds for each in members] == [31 - last[each.status.instance][0] for each in members]
