"""A pytest plugin that fails the session when a log or the output of a test contains an access key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = re.compile(r"tm_[0-9A-Za-z]{12}_[0-9A-Za-z]{8}")
"""Matches a key id and the beginning of a secret. An id alone is no secret."""

_found: dict[str, None] = {}  # an ordered set


def files_with_secrets(*directories: Path) -> list[str]:
    """The names of files in these directories, without subdirectories, that contain an access key."""
    files = [each for directory in directories for each in directory.iterdir() if each.is_file()]
    return [each.name for each in files if SECRET.search(each.read_text(errors="replace"))]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Checks the captured logs and output of a test."""
    for title, text in report.sections:
        if SECRET.search(text):
            _found[f"{report.nodeid}: {title}"] = None


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    if _found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _found:
        terminalreporter.section("access keys in captured output", red=True)
        for each in _found:
            terminalreporter.line(each)
