"""A server and its worker processes: shared metrics, replaced workers, signals, idle connections."""

import asyncio
import os
import resource
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from tests.support.service_process import ServiceProcess, failed_start, resolver_process
from tests.support.waiting import eventually

LIVE = 'tm_http_requests_total{code="200",method="GET",route="/health/live"}'


async def _kill_one(running: ServiceProcess) -> None:
    """Kill the oldest worker and wait until another one has taken its place."""
    before = running.workers()
    os.kill(before[0], signal.SIGKILL)
    await eventually(lambda: _is_replaced(running, before), within=20)


async def _is_replaced(running: ServiceProcess, before: list[int]) -> bool:
    now = running.workers()
    return len(now) == len(before) and before[0] not in now


async def _ask(running: ServiceProcess, times: int) -> int:
    """Ask on a new connection each time, so that every worker has its share. Returns how many answers were 200."""
    return sum([await running.status("/health/live") == 200 for _ in range(times)])


async def test_two_workers_count_every_request_also_after_one_of_them_was_killed(tmp_path: Path) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2") as running:
        await eventually(lambda: _is_two(running))
        before = await running.metric(LIVE)
        answered = await _ask(running, 40)
        assert await running.metric(LIVE) - before == answered == 40
        await _kill_one(running)
        again = await running.metric(LIVE)
        assert again >= before + answered, "the count of the killed worker is lost"
        assert await _ask(running, 20) == 20
        assert await running.metric(LIVE) - again == 20
        assert await running.metric("tm_ready") == 1


async def _is_two(running: ServiceProcess) -> bool:
    return len(running.workers()) == 2 and await running.metric("tm_ready") == 1


async def test_a_worker_that_is_killed_twice_within_seconds_does_not_end_the_service(tmp_path: Path) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2") as running:
        for _ in range(3):
            await _kill_one(running)
        assert running.process.returncode is None
        await eventually(running.is_live)


async def test_the_metric_files_leave_nothing_behind(tmp_path: Path) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2", TMPDIR=str(tmp_path)) as running:
        assert _metric_files(tmp_path)
        running.process.terminate()
        assert await running.exit_code() == 0
    assert not _metric_files(tmp_path)


def _metric_files(folder: Path) -> list[Path]:
    return [*folder.glob("data_plane-metrics-*"), *folder.glob("data_plane-metrics-*/*.db")]


async def test_a_folder_for_metric_files_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, errors = await failed_start(TM_WORKERS="2", TM_METRICS_DIR=str(tmp_path / "file" / "metrics"))
    assert code == 2
    assert "TM_METRICS_DIR" in errors
    assert "Traceback" not in errors


async def test_old_metric_files_are_not_counted_again(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    for _ in range(2):
        async with resolver_process(tmp_path, TM_WORKERS="2", TM_METRICS_DIR=str(folder)) as running:
            await eventually(lambda: _is_two(running))
            assert await running.metric('tm_http_requests_total{code="404",method="GET",route="unmatched"}') == 0
            assert await running.status("/nothing-is-here") == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_whole_process_group_drains_like_one_to_the_server_alone(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2", TM_DRAIN_SECONDS="2") as running:
        await eventually(lambda: _is_two(running))
        workers = running.workers()
        running.signal_group(number)
        await eventually(lambda: _is(running, "/health/ready", 503))
        assert await _ask(running, 10) == 10, "the port is closed before the drain is over"
        assert running.workers() == workers
        assert await running.exit_code() == 0
        assert "Respawning" not in running.log.read_text()
        assert not any(map(psutil.pid_exists, workers))


async def _is(running: ServiceProcess, path: str, status: int) -> bool:
    return await running.status(path) == status


async def test_a_worker_that_fails_during_the_drain_is_not_replaced(tmp_path: Path) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2", TM_DRAIN_SECONDS="2") as running:
        await eventually(lambda: _is_two(running))
        killed, survivor = running.workers()
        running.process.terminate()
        await eventually(lambda: _is(running, "/health/ready", 503))
        os.kill(killed, signal.SIGKILL)
        await running.exit_code()
        assert "Respawning" not in running.log.read_text()
        assert not psutil.pid_exists(survivor)


async def test_sighup_replaces_the_workers_one_by_one_and_kills_none_of_them(tmp_path: Path) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2") as running:
        await eventually(lambda: _is_two(running))
        before = running.workers()
        running.process.send_signal(signal.SIGHUP)
        statuses = set()
        async with asyncio.timeout(60):
            while set(running.workers()) & set(before):
                statuses.add(await running.status("/health/live"))
        # 0: a connection that the old worker had accepted was closed before its request was read.
        assert statuses - {0} == {200}
        assert "Killing" not in running.log.read_text()
        await eventually(lambda: _is_two(running))


async def test_workers_end_when_their_server_was_killed(tmp_path: Path) -> None:
    async with resolver_process(tmp_path, TM_WORKERS="2") as running:
        workers = running.workers()
        running.process.kill()
        await running.exit_code()
        await eventually(lambda: _all_gone(workers), within=20)


async def _all_gone(processes: list[int]) -> bool:
    return not any(psutil.pid_exists(each) and psutil.Process(each).status() != "zombie" for each in processes)


async def test_thousands_of_idle_connections_do_not_silence_a_worker(tmp_path: Path) -> None:
    idle = 4500
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 2 * idle:
        pytest.skip(f"this user may open {most} files; {2 * idle} are needed for both ends of {idle} connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with resolver_process(tmp_path) as running, AsyncExitStack() as opened:
        port = running.client.base_url.port
        for _ in range(idle):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            opened.callback(writer.close)
        assert await running.is_live()
        await eventually(lambda: _counts_at_least(running, idle), within=20)


async def _counts_at_least(running: ServiceProcess, connections: int) -> bool:
    return await running.metric("tm_http_connections_open") >= connections


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
async def test_the_host_may_be_written_as_people_write_it(tmp_path: Path, host: str) -> None:
    async with resolver_process(tmp_path, TM_HTTP_HOST=host) as running:
        assert await running.is_live()


async def test_a_host_that_is_no_address_is_named_by_its_setting() -> None:
    code, errors = await failed_start(TM_HTTP_HOST="resolver.example")
    assert code == 2
    assert "TM_HTTP_HOST" in errors
    assert "Traceback" not in errors


async def test_a_port_in_use_is_named_by_its_setting(tmp_path: Path) -> None:
    async with resolver_process(tmp_path) as running:
        code, errors = await failed_start(TM_HTTP_PORT=str(running.client.base_url.port))
    assert code == 2
    assert "TM_HTTP_PORT" in errors
    assert "Traceback" not in errors
