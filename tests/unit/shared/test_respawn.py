"""A server that drains starts no worker."""

from typing import Any

from shared.runtime.server import DrainingServer


class _EndedWorker:
    birth = 0.0

    def is_alive(self) -> bool:
        return False


class _SignalDuringPause:
    """The failures of a worker; the server gets SIGTERM while it pauses after them."""

    count = 1

    def __init__(self, server: Any) -> None:
        self._server = server

    def pause_after(self, _: float) -> float:
        self._server._draining = True  # noqa: SLF001 - the server as granian drives it
        return 0.0


def test_signal_during_the_pause_before_a_respawn_starts_no_worker() -> None:
    server: Any = object.__new__(DrainingServer)
    ended = _EndedWorker()
    server.wrks, server._failures = [ended], [_SignalDuringPause(server)]  # noqa: SLF001 - the server as granian drives it
    server._respawn_workers([0], None, None)  # noqa: SLF001 - the server as granian drives it
    assert server.wrks == [ended]
