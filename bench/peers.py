"""Programs that others know the speed of, run beside ours. Each is left out, with a word, where it is not installed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.constant import BODY

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {directory}/pid; error_log {directory}/log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{body}'; }} }}
}}
"""


def redis_benchmark() -> str | None:
    """The program, or None where there is none (Debian: apt-get install redis-tools)."""
    return shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")


def redis_gets(program: str, url: str, requests: int, clients: int) -> float:
    """`GET`s a second, one at a time for each client."""
    host, port = re.fullmatch(r"redis://([^:/]+):(\d+).*", url).groups()  # type: ignore[union-attr]
    command = [program, "-h", host, "-p", port, "-t", "get", "-c", str(clients), "-n", str(requests), "--csv"]
    report = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return float(next(line for line in report.splitlines() if line.startswith('"GET"')).split(",")[1].strip('"'))


@contextlib.contextmanager
def nginx_constant(port: int) -> Iterator[str | None]:
    """nginx with one worker that answers the bytes of `bench.constant`; None where there is no nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "nginx.conf")
        config.write_text(_NGINX.format(directory=directory, port=port, body=BODY.decode()))
        server = subprocess.Popen([program, "-c", str(config), "-e", f"{directory}/log"])
        try:
            time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.kill(server.pid, signal.SIGTERM)
            server.wait(timeout=10)
