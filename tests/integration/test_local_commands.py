"""The commands `up` and `down`, also after a killed `up` and with taken ports."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from deploy.local.settings import inherited_environment
from deploy.local.state import StateDirectory

SERVERS = 5
URL_SETTINGS = {"TM_POSTGRES_URL", "TM_REPLICA_URLS", "TM_REDIS_URL", "TM_KAFKA_BOOTSTRAP", "TM_MONGO_URL"}


def command(state: Path, *arguments: str) -> "subprocess.Popen[str]":
    settings = {name: value for name, value in inherited_environment().items() if not name.startswith("TM_")}
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "deploy.local", "--state", str(state), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=settings,
    )


def output_of(state: Path, *arguments: str, expected: int = 0) -> str:
    process = command(state, *arguments)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == expected, output
    return output


def running_from(state: Path) -> list[str]:
    """Command lines that name the state directory, or the directory that PostgreSQL borrowed."""
    borrowed = (state / "postgres").resolve()
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(state) in line or str(borrowed) in line]


def kill_an_up_at_work(state: Path) -> None:
    up = command(state, "up", "--servers-only")
    assert up.stdout is not None
    while "redis: ready" not in up.stdout.readline():  # the others are on their way by then
        assert up.poll() is None
    up.kill()
    up.communicate()


def environment(state: Path) -> dict[str, str]:
    lines = (state / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory; nothing that was started on it outlives the test."""
    state = tmp_path / "state"
    yield state
    output_of(state, "down", "--purge")


def test_commands_recover_from_a_killed_up_and_purge_everything(state: Path) -> None:
    kill_an_up_at_work(state)
    assert running_from(state) != []
    output_of(state, "down")
    assert running_from(state) == []

    output_of(state, "up", "--servers-only")
    first = environment(state)
    assert first.keys() == URL_SETTINGS
    assert output_of(state, "up", "--servers-only").count("already running") == SERVERS
    assert environment(state) == first
    output_of(state, "down")

    with ExitStack() as others:
        for port in StateDirectory(state).read().ports.values():
            others.enter_context(socket.create_server(("127.0.0.1", port)))
        output_of(state, "up", "--servers-only")
        moved = environment(state)
        assert not set(moved.values()) & set(first.values())
        output_of(state, "status")

    borrowed = (state / "postgres").resolve()
    output_of(state, "down", "--purge")
    assert running_from(state) == []
    assert not state.exists()
    assert not borrowed.exists()
