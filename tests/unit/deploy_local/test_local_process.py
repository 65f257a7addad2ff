"""Commands affect a started process and all its children, and no other process."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from deploy.local.errors import LocalServerError, NotReady, PortTaken
from deploy.local.leftovers import stop_all_but
from deploy.local.local_process import LocalProcess
from deploy.local.process import Launch, family, find, run_to_end, spawn
from deploy.local.state import Identity, StateDirectory
from tests.support.stand_in_programs import DEAF, DYING, READY, WITH_CHILD, StandIn


def processes_of(server: LocalProcess) -> list[psutil.Process]:
    assert server.pid is not None
    return family(psutil.Process(server.pid))


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def test_started_service_is_ready_and_gets_its_settings(stand_in: StandIn, state: StateDirectory) -> None:
    server = stand_in(READY, environment={"TM_REDIS_URL": "redis://somewhere"})
    await server.start()
    assert await server.condition() == "running"
    assert "instance stand-in redis://somewhere" in state.log("stand-in").read_text()


async def test_start_of_a_running_service_changes_nothing(stand_in: StandIn) -> None:
    server = stand_in(READY)
    await server.start()
    pid = server.pid
    await server.start()
    assert server.pid == pid


async def test_another_command_finds_the_process_again(stand_in: StandIn) -> None:
    await stand_in(READY).start()
    later = stand_in(READY)
    assert await later.is_running()
    await later.stop()
    assert await later.condition() == "stopped"


async def test_freezing_and_thawing_reach_children(stand_in: StandIn) -> None:
    server = stand_in(WITH_CHILD)
    await server.start()
    processes = processes_of(server)
    assert len(processes) == 2
    await server.freeze()
    assert [process.status() for process in processes] == [psutil.STATUS_STOPPED] * 2
    await server.thaw()
    assert psutil.STATUS_STOPPED not in [process.status() for process in processes]


async def test_start_of_a_frozen_service_thaws_it(stand_in: StandIn) -> None:
    server = stand_in(READY)
    await server.start()
    await server.freeze()
    await server.start()
    assert await server.condition() == "running"


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_no_child_outlives_its_server(stand_in: StandIn, end: str) -> None:
    server = stand_in(WITH_CHILD)
    await server.start()
    processes = processes_of(server)
    await getattr(server, end)()
    assert not [process for process in processes if is_alive(process)]


async def test_frozen_server_can_be_stopped(stand_in: StandIn) -> None:
    server = stand_in(READY)
    await server.start()
    await server.freeze()
    await server.stop()
    assert not await server.is_running()


async def test_server_that_ignores_sigterm_is_killed_and_the_log_says_so(
    stand_in: StandIn, state: StateDirectory
) -> None:
    server = stand_in(DEAF, stop_seconds=0.2)
    await server.start()
    await server.stop()
    assert not await server.is_running()
    assert "was killed" in state.log("stand-in").read_text()


async def test_server_that_ends_while_starting_is_reported_with_its_log(
    stand_in: StandIn, state: StateDirectory
) -> None:
    with pytest.raises(NotReady, match="ended during its start") as failure:
        await stand_in(DYING).start()
    assert "no configuration found" in str(failure.value)
    assert str(state.log("stand-in")) in str(failure.value)


async def test_crashed_server_differs_from_a_stopped_one(stand_in: StandIn) -> None:
    server = stand_in(READY)
    await server.start()
    process = processes_of(server)[0]
    process.kill()
    while is_alive(process):
        await server.is_running()
    assert await server.condition() == "ended"
    await server.stop()
    assert await server.condition() == "stopped"


async def test_stopped_server_cannot_be_frozen(stand_in: StandIn) -> None:
    with pytest.raises(NotReady, match="start it first"):
        await stand_in(READY).freeze()


async def test_port_of_a_stopped_server_taken_by_another_program_is_named(
    stand_in: StandIn, state: StateDirectory
) -> None:
    with socket.create_server(("127.0.0.1", state.port("stand-in"))):
        with pytest.raises(PortTaken, match=str(state.port("stand-in"))):
            await stand_in(READY).start()
        state.replace_taken_port("stand-in")
        await stand_in(READY).start()


@pytest.fixture
def foreign() -> Iterator[subprocess.Popen[bytes]]:
    """A process of someone else."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


async def test_other_process_with_a_reused_pid_is_not_touched(
    stand_in: StandIn, state: StateDirectory, foreign: subprocess.Popen[bytes]
) -> None:
    began = psutil.Process(foreign.pid).create_time()
    with state.update() as remembered:
        remembered.processes["stand-in"] = Identity(foreign.pid, began - 3_600)
    server = stand_in(READY)
    assert not await server.is_running()
    await server.stop()
    await server.kill()
    await stop_all_but(set(), state)
    assert foreign.poll() is None


async def test_pid_of_an_ended_process_is_stale(
    stand_in: StandIn, state: StateDirectory, foreign: subprocess.Popen[bytes]
) -> None:
    identity = Identity(foreign.pid, psutil.Process(foreign.pid).create_time())
    foreign.kill()
    foreign.wait()
    with state.update() as remembered:
        remembered.processes["stand-in"] = identity
    assert find(identity) is None
    server = stand_in(READY)
    assert await server.condition() == "ended"
    await server.start()
    assert await server.is_running()


async def test_process_missing_from_the_state_file_is_ended(stand_in: StandIn, state: StateDirectory) -> None:
    """The command that started it was killed between starting and writing."""
    unknown = spawn(
        Launch([sys.executable, "-c", "import time; time.sleep(60)"], state.path.parent),
        state.log("stand-in"),
        state.mark("stand-in"),
    )
    server = stand_in(READY)
    await server.start()
    assert find(unknown) is None
    assert await server.is_running()


async def test_leftover_processes_are_ended_and_other_stacks_are_not(state: StateDirectory, stand_in: StandIn) -> None:
    launch = Launch([sys.executable, "-c", "import time; time.sleep(60)"], state.path.parent)
    neighbour = StateDirectory(state.path.with_name("state-2"))
    leftover = spawn(launch, state.log("leftover"), state.mark("leftover"))
    other = spawn(launch, neighbour.log("other"), neighbour.mark("other"))
    kept = stand_in(READY, name="kept")
    await kept.start()
    try:
        await stop_all_but({"kept"}, state)
        assert find(leftover) is None
        assert find(other) is not None
        assert await kept.is_running()
    finally:
        await stop_all_but(set(), neighbour)


async def test_failing_program_is_reported_with_its_output(state: StateDirectory) -> None:
    launch = Launch([sys.executable, "-c", DYING], state.path.parent, title="the migration")
    with pytest.raises(LocalServerError, match="the migration failed with exit code 3") as failure:
        await run_to_end(launch, state.log("migrate"), state.mark("migrate"), 10)
    assert "no configuration found" in str(failure.value)


async def test_program_that_exceeds_its_time_is_killed(state: StateDirectory) -> None:
    launch = Launch([sys.executable, "-c", "import time; time.sleep(60)"], state.path.parent)
    with pytest.raises(LocalServerError, match="took longer"):
        await run_to_end(launch, state.log("slow"), state.mark("slow"), 0.1)


async def test_interrupt_of_the_command_does_not_reach_servers(stand_in: StandIn) -> None:
    server = stand_in(READY)
    await server.start()
    assert server.pid is not None
    assert os.getsid(server.pid) == server.pid
