"""Free TCP ports on the loopback interface."""

import asyncio
import contextlib
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


async def accepts(port: int) -> bool:
    """Whether something listens on `port`. A driver that fails would be slower, and would log it."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def pick(taken: frozenset[int] = frozenset()) -> int:
    """A free port below the ephemeral range.

    The kernel assigns ports of that range to outgoing connections: a client that reconnects to a stopped server could get
    the server's port, connect to itself, and block the server's restart.
    """
    numbers = random.SystemRandom()
    while True:
        port = numbers.randrange(_LOWEST, _first_ephemeral())
        if port not in taken and is_free(port):
            return port


def _first_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except OSError:
        return 32_768
    return first if first > _LOWEST + 1_000 else 65_536
