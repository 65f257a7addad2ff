"""The end of logs, by name."""

from pathlib import Path

import pytest

from deploy.local.errors import LocalServerError
from deploy.local.files import rotate, tail
from deploy.local.logs import log_files, print_tails
from deploy.local.state import StateDirectory


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path)
    for name in ("kafka", "redis"):
        state.log(name).parent.mkdir(exist_ok=True)
        state.log(name).write_text("".join(f"{name} {number}\n" for number in range(100)))
    return state


def test_single_log_is_printed_without_its_name(state: StateDirectory) -> None:
    lines: list[str] = []
    print_tails(log_files(state, "redis"), lines.append)
    assert "\n".join(lines).splitlines()[-1] == "redis 99"
    assert "kafka" not in "".join(lines)


def test_all_logs_are_printed_under_their_names(state: StateDirectory) -> None:
    lines: list[str] = []
    print_tails(log_files(state, None), lines.append)
    assert f"==> {state.log('kafka')} <==" in lines


def test_unknown_log_is_refused_with_the_known_names(state: StateDirectory) -> None:
    with pytest.raises(LocalServerError, match="choose one of kafka, redis"):
        log_files(state, "mysql")


def test_tail_of_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""


def test_large_log_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    with log.open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    rotate(log)
    assert not log.exists()
    assert (tmp_path / "kafka.log.1").exists()


def test_tail_omits_a_line_whose_start_it_did_not_read(tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    log.write_text("x" * 40_000 + " redis://:s3cret@cache\n" + "whole line\n" * 2_900)
    assert set(tail(log, 10_000).splitlines()) == {"whole line"}
