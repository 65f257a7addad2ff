"""The state file that commands share."""

import stat
import subprocess
from pathlib import Path

from deploy.local import ports
from deploy.local.state import Identity, StateDirectory


def test_port_stays_the_same(tmp_path: Path) -> None:
    port = StateDirectory(tmp_path).port("redis")
    assert StateDirectory(tmp_path).port("redis") == port


def test_ports_of_one_stack_differ(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    picked = [state.port(f"server-{number}") for number in range(50)]
    assert len(set(picked)) == 50


def test_ports_are_below_the_ephemeral_range() -> None:
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(ports.pick() < first_ephemeral for _ in range(20))


def test_unreadable_state_file_is_set_aside(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    state.port("redis")
    (tmp_path / "state.json").write_text('{"ports": {"redis": 2')
    assert state.read().ports == {}
    assert (tmp_path / "state.broken").exists()
    assert ports.is_free(state.port("redis"))


def test_state_is_read_back_by_another_command(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).update() as state:
        state.processes["redis"] = Identity(42, 1.5)
    assert StateDirectory(tmp_path).read().processes == {"redis": Identity(42, 1.5)}


def test_environment_file_is_private_and_a_shell_can_source_it(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    values = {
        "TM_MONGO_URL": "mongodb://127.0.0.1:1/?replicaSet=rs0",
        "TM_POSTGRES_URL": "postgresql://me:p$ss'word@db/x?a=1&b=2",
        "TM_REPLICA_URLS": "",
    }
    state.write_environment(values)
    assert stat.S_IMODE(state.environment.stat().st_mode) == 0o600
    assert "TM_MONGO_URL=mongodb://127.0.0.1:1/?replicaSet=rs0\n" in state.environment.read_text()
    script = f'set -a; . "{state.environment}"; printf "%s\\n" "$TM_MONGO_URL" "$TM_POSTGRES_URL" "$TM_REPLICA_URLS"'
    printed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our script
    assert printed.splitlines() == list(values.values())


def test_purge_keeps_files_of_others(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    state.port("redis")
    borrowed = tmp_path.parent / "borrowed"
    borrowed.mkdir()
    (tmp_path / "postgres").symlink_to(borrowed)
    (tmp_path / "notes").write_text("mine")
    state.purge()
    assert not borrowed.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
