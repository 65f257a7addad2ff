"""Well-known servers measured for comparison. One that is not installed is left out, with a note."""

import base64
import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2

from bench.constant import BODY

START_SECONDS = 10.0

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
        with _running([program, "-c", str(config), "-e", f"{directory}/log"]):
            url = f"http://127.0.0.1:{port}"
            _until_answered(lambda: httpx2.get(url, trust_env=False))
            yield url


@contextlib.contextmanager
def etcd_range(port: int, peer_port: int, keys: int) -> Iterator[str | None]:
    """etcd with the bytes of `bench.constant` under the keys that `range.lua` reads; None where there is no etcd."""
    program = shutil.which("etcd")
    if program is None:
        yield None
        return
    url, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    with tempfile.TemporaryDirectory() as directory:
        listening = ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer]
        cluster = ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
        with (
            _running([program, "--data-dir", directory, *listening, *cluster]),
            httpx2.Client(trust_env=False, base_url=url) as http,
        ):
            _until_answered(lambda: http.get("/health"))
            for number in range(keys):
                pair = {"key": _base64(f"route-{number}".encode()), "value": _base64(BODY)}
                http.post("/v3/kv/put", json=pair).raise_for_status()
            yield url


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait(timeout=10)


def _until_answered(ask: Callable[[], httpx2.Response]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx2.HTTPError):
            if ask().is_success:
                return
        if time.monotonic() > until:
            raise TimeoutError(f"a peer did not answer within {START_SECONDS:.0f} s of its start")
        time.sleep(0.05)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
