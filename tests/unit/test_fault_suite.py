"""The suite of fault tests finds broken promises, and says so."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from bench.faults.aftermath import is_in, out_of_order
from bench.faults.commit_history import CommitHistory, Judge, Promise, Resolved
from bench.faults.load import Phase, Rates
from bench.faults.measures import Measures
from bench.faults.proxies import PRODUCE, Acknowledgements, Coin, proxy
from bench.faults.report import Finding, Report
from bench.faults.row import Row
from bench.faults.rows.primary import check_recovery, check_refusals
from bench.faults.stalls import Stalls
from bench.faults.suite import ROWS, described
from bench.faults.trial import Check, Trial
from bench.faults.writing import Acknowledged, Attempt, Written
from deploy.local import ports
from shared.schemas.events import Action, RouteChange, RouteChanged
from tests.support.factories import a_change, a_change_set


async def nothing(_: Trial) -> None:
    """A row without checks."""


ROW = Row(99, "a fault", "a promise", seconds=60, short_seconds=5, run=nothing)


@pytest.fixture
def trial() -> Trial:
    """A trial for checks that need no servers."""
    unused = cast("Any", SimpleNamespace(rates=Rates()))
    return Trial(unused, unused, seconds=5, scale=0)


def phase_of(*attempts: Attempt, answers: tuple[Resolved, ...] = ()) -> Phase:
    history = CommitHistory()
    history.begin(1, "one", 0).acknowledged = 1
    history.begin(1, "two", 100).acknowledged = 101
    phase = Phase(Judge(history, Promise()), Written(list(attempts)))
    for each in answers:
        phase.judge.note(each)
    return phase


def broken(trial: Trial) -> list[str]:
    return [each.promise for each in trial.checks if not each.kept]


def answer(url: str | None, asked: float, status: int = 200) -> Resolved:
    return Resolved("one", 1, asked, asked + 0.01, status, url)


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ((answer("one", 200),), "had been wrong for 99"),
        ((answer(None, 200, status=503),), "was not answered (503)"),
        ((answer(None, 200, status=0),), "no answer"),
        ((answer("two", 150), answer("one", 150.5)), "it went back"),
        ((answer("three", 150),), "never was the route's"),
    ],
)
def test_answer_that_breaks_a_promise_is_in_the_report(
    trial: Trial, answers: tuple[Resolved, ...], complaint: str
) -> None:
    trial.judged(phase_of(answers=answers))
    assert any(complaint in each.seen for each in trial.checks if not each.kept)


def test_correct_answers_break_nothing(trial: Trial) -> None:
    trial.judged(phase_of(answers=(answer("one", 99), answer("one", 100.5), answer("two", 102))))
    assert broken(trial) == ["half of the planned load at least was answered"], "three answers are no load"


EVENT = a_change_set(
    a_change(Action.UPDATED, service="s-7", url="http://new", is_active=True), tenant="team-a", revision=5
)


@pytest.mark.parametrize(
    ("write", "event", "found"),
    [
        (Acknowledged("team-a", 5, 7, "http://new"), EVENT, True),
        (Acknowledged("team-a", 5, 7, "http://other"), EVENT, False),
        (Acknowledged("team-a", 5, 7, None), EVENT, False),
        (Acknowledged("team-a", 5, 8, "http://new"), EVENT, False),
        (Acknowledged("team-a", 5, 7, "http://new"), None, False),
    ],
)
def test_acknowledged_write_without_its_event_is_found(
    write: Acknowledged, event: RouteChanged | None, found: bool
) -> None:
    assert is_in(write, event) is found


def published(*revisions: int) -> list[RouteChanged]:
    change = RouteChange(action=Action.CREATED, service="s", env="prod", version="v1", url="http://s", is_active=True)
    return [a_change_set(change, tenant="team-a", revision=each, event_id=UUID(int=each)) for each in revisions]


@pytest.mark.parametrize(
    ("revisions", "complaints", "duplicates"),
    [
        ((4, 5, 6), 0, 0),
        ((4, 4, 5, 4, 5, 6), 0, 3),
        ((4, 6), 1, 0),
        ((5, 4), 1, 1),
        ((4, 5, 7, 6), 1, 1),
    ],
)
def test_lost_and_reordered_events_are_found_and_duplicates_are_counted(
    revisions: tuple[int, ...], complaints: int, duplicates: int
) -> None:
    found, again = out_of_order(published(*revisions), {"team-a": 3})
    assert (len(found), again) == (complaints, duplicates)


REFUSED = Attempt(10, 11.5, 503, has_retry_after=True)


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt(10, 10.5, 503, has_retry_after=False),
        Attempt(10, 12.5, 503, has_retry_after=True),
        Attempt(10, 10.5, 500),
        Attempt(10, 15, 0),
    ],
)
def test_refusal_that_is_not_as_promised_is_found(trial: Trial, attempt: Attempt) -> None:
    check_refusals(trial, phase_of(REFUSED, attempt))
    assert broken(trial) == ["a refused write gets 503 with Retry-After within 2 s"]


def test_delay_of_the_loading_process_is_not_the_products(trial: Trial) -> None:
    phase = phase_of(Attempt(10, 12.5, 503, has_retry_after=True))
    phase.stalls.add(10.1, 11.0)
    check_refusals(trial, phase)
    assert broken(trial) == []


@pytest.mark.parametrize(
    ("attempts", "seen"),
    [
        ((Attempt(20, 24, 503), Attempt(24, 24.1, 200)), "4.000 s"),
        ((Attempt(20, 20.1, 200),), "0.000 s"),
        ((Attempt(20, 28, 503), Attempt(28, 28.1, 200)), "8.000 s"),
        ((Attempt(20, 24, 503),), "never"),
    ],
)
def test_recovery_lasts_until_the_last_refusal(trial: Trial, attempts: tuple[Attempt, ...], seen: str) -> None:
    check_recovery(trial, phase_of(*attempts), back=20)
    assert (trial.checks[0].seen, trial.checks[0].kept) == (seen, seen in ("4.000 s", "0.000 s"))


def test_stalls_are_taken_out_of_the_spans_that_they_overlap() -> None:
    stalls = Stalls()
    stalls.add(1.0, 1.5)
    stalls.add(2.0, 2.25)
    assert stalls.without([(0.0, 0.5), (0.5, 1.25), (1.25, 3.0), (2.5, 3.0)]) == pytest.approx([0.5, 0.5, 1.25, 0.5])
    assert stalls.longest == 0.5


def test_slow_observations_are_those_above_the_edge() -> None:
    edges = {'lag_seconds_bucket{le="0.1"}': 7.0, 'lag_seconds_bucket{le="+Inf"}': 9.0, "lag_seconds_count": 9.0}
    assert Measures(edges).slower_than("lag_seconds", "0.1") == 2


def finding(*checks: Check, failure: str = "") -> Finding:
    return Finding(ROW, 5, 20, checks, ["a note"], failure)


def test_failure_of_a_row_names_the_errors_in_a_group() -> None:
    error = ExceptionGroup("tasks", [ValueError("one"), ExceptionGroup("more", [KeyError("two")])])
    assert described(error) == "ValueError: one; KeyError: 'two'"


KEPT, BROKEN = Check("a promise <= 1 s", "0.5 s", True), Check("a promise | another <= 1 s", "2 s", False)


@pytest.mark.parametrize(
    ("found", "is_kept"),
    [
        (finding(KEPT), True),
        (finding(KEPT, BROKEN), False),
        (finding(KEPT, failure="AssertionError: not within 60 s"), False),
        (finding(), False),
    ],
)
def test_row_is_kept_only_if_it_ended_and_every_check_was(found: Finding, is_kept: bool) -> None:
    report = Report(Rates(), [found])
    assert (found.kept, len(report.broken)) == (is_kept, not is_kept)


def test_report_says_what_was_promised_and_seen_and_that_durations_were_compressed(tmp_path: Path) -> None:
    text = Report(Rates(), [finding(KEPT, BROKEN)]).write(tmp_path).read_text()
    assert "Durations are compressed." in text
    assert "| 99 | a fault | 5 s instead of 60 s | a promise | BROKEN |" in text
    assert "| a promise \\| another <= 1 s | 2 s | BROKEN |" in text
    (row,) = json.loads((tmp_path / "faults-report.json").read_text())["rows"]
    assert (row["kept"], row["seconds"], row["full_seconds"]) == (False, 5, 60)


@pytest.mark.parametrize(("scale", "seconds"), [(0, 5), (0.05, 5), (0.5, 30), (1, 60)])
def test_scale_compresses_a_fault_and_never_below_what_shows_its_promise(scale: float, seconds: float) -> None:
    assert ROW.lasts(scale) == seconds


def test_rows_have_the_numbers_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    documented = [int(line.split("|")[1]) for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert documented == [row.number for row in ROWS]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker that sends every frame's correlation id back."""
    try:
        while frame := await reader.readexactly(12):
            writer.write((4).to_bytes(4) + frame[8:12])
    except asyncio.IncompleteReadError:
        writer.close()


def request(api_key: int, correlation: int) -> bytes:
    """A frame with a header only: length, API key, version, correlation id."""
    return (8).to_bytes(4) + api_key.to_bytes(2) + (0).to_bytes(2) + correlation.to_bytes(4)


async def test_proxy_swallows_acknowledgements_and_passes_other_responses() -> None:
    upstream, acknowledgements = await asyncio.start_server(echo, "127.0.0.1", 0), Acknowledgements()
    port = ports.pick()
    async with upstream, proxy(port, upstream.sockets[0].getsockname()[1], acknowledgements.connection):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(PRODUCE, 1))
        assert await reader.readexactly(8) == (4).to_bytes(4) + (1).to_bytes(4)
        acknowledgements.swallowed = True
        for part in (request(PRODUCE, 2)[:5], request(PRODUCE, 2)[5:] + request(3, 3)):
            writer.write(part)
            await writer.drain()
        assert await reader.readexactly(8) == (4).to_bytes(4) + (3).to_bytes(4)
        writer.close()
    assert acknowledgements.count == 1


async def test_proxy_breaks_the_connection_of_a_call_that_fails() -> None:
    upstream, port = await asyncio.start_server(echo, "127.0.0.1", 0), ports.pick()
    async with upstream, proxy(port, upstream.sockets[0].getsockname()[1], Coin(1.0).redis):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(PRODUCE, 1))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(8)
        writer.close()


def test_coin_fails_its_share_of_the_calls() -> None:
    coin = Coin(0.5)
    failed = sum(coin.fails() for _ in range(1000))
    assert (coin.calls, coin.failed) == (1000, failed)
    assert 400 < failed < 600
