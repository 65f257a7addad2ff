"""Counts the clients' connections to the HTTP port, idle ones included: the application itself sees requests only."""

import asyncio
import re
from functools import partial
from pathlib import Path

from shared.runtime.metrics import Metrics

SAMPLE_SECONDS = 5.0
_TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))


async def sample_open_connections(port: int, metrics: Metrics) -> None:
    """Set `tm_http_connections_open`: those of all workers, because the kernel's tables are of the whole host or pod."""
    metrics.gauge("tm_http_connections_open").set(await asyncio.to_thread(partial(_count, port)))


def _count(port: int) -> int:
    established = re.compile(rb"^ *\d+: [0-9A-F]+:%04X [0-9A-F]+:[0-9A-F]{4} 01 " % port, re.MULTILINE)
    return sum(len(established.findall(table.read_bytes())) for table in _TABLES if table.exists())
