"""A benchmark's row says itself whether its goals were met, and no error of wrk goes unseen."""

import json
from pathlib import Path

import pytest

from bench.report import Figure, Goal, Row, skipped, write
from bench.wrk import Load, read_report

GOALS = (Goal(Figure.RATIO, at_least=0.8), Goal(Figure.P99_RATIO, at_most=2))

REPORT = """Running 1s test @ http://127.0.0.1:8081
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.63ms  250.00us   9.10ms   95.00%
    Req/Sec    39.10k     1.20k   41.00k    80.00%
  Latency Distribution
     50%  500.00us
     75%    1.00ms
     90%    1.50ms
     99%    1.90ms
  39000 requests in 1.00s, 12.00MB read
{errors}Requests/sec:  39000.50
Transfer/sec:     12.00MB
"""


@pytest.mark.parametrize(
    ("ratio", "p99_ratio", "met"),
    [(0.8, 2.0, True), (0.79, 1.0, False), (1.0, 2.01, False), (1.0, None, None)],
)
def test_a_row_is_met_when_every_goal_is(ratio: float, p99_ratio: float | None, met: bool | None) -> None:
    assert Row("hits", "requests/s", 1.0, ratio=ratio, p99_ratio=p99_ratio, goals=GOALS).met is met


def test_a_row_without_goals_or_value_is_neither_met_nor_missed_and_a_failed_one_is_missed() -> None:
    assert Row("hits", "requests/s", 1.0).met is None
    assert skipped("nginx", "requests/s", "not installed").met is None
    assert Row("hits", "requests/s", failed="3 answers were not as they should be", goals=GOALS).met is False


def test_what_is_written_says_the_goals_in_words_and_whether_they_were_met(tmp_path: Path) -> None:
    rows = [
        Row("hits", "requests/s", 1.0, ratio=0.9, p99_ratio=3.0, goals=GOALS),
        Row("keys", "keys/s", 6e5, goals=(Goal(Figure.VALUE, at_least=500_000),)),
    ]
    write(rows, tmp_path / "rows.json")
    written = [(each["goals"], each["met"]) for each in json.loads((tmp_path / "rows.json").read_text())]
    assert written == [("ratio >= 0.8, p99 ratio <= 2", False), ("value >= 500,000", True)]


def test_a_report_of_wrk_is_read_with_its_units() -> None:
    assert read_report(REPORT.format(errors="")) == Load(39000.5, 0.5, 1.9, 39000)


def test_refused_answers_and_broken_connections_are_errors() -> None:
    errors = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n"
    load = read_report(REPORT.format(errors=errors))
    assert (load.refused, load.broken, load.errors) == (50000, 4321, 54321)
