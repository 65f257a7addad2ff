"""What the commands print, without starting a server."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import commands
from deploy.local.__main__ import main
from deploy.local.errors import LocalServerError, NotReady
from deploy.local.external import ExternalServer
from deploy.local.stack import open_stack
from deploy.local.state import StateDirectory
from deploy.local.status_table import status_table


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_status_without_a_state_directory_says_how_to_start(tmp_path: Path, console: Console) -> None:
    assert await commands.status(tmp_path / "none", console) == commands.NOT_RUNNING
    assert "make up" in printed(console)
    assert not (tmp_path / "none").exists()


async def test_status_of_a_stopped_stack_says_how_to_start(tmp_path: Path, console: Console) -> None:
    open_stack(tmp_path).state.port("redis")
    assert await commands.status(tmp_path, console) == commands.NOT_RUNNING
    assert "stopped" in printed(console)
    assert "make up" in printed(console)


async def test_down_without_a_state_directory_succeeds(tmp_path: Path, console: Console) -> None:
    assert await commands.down(tmp_path / "none", console, purge=True) == commands.SUCCESS
    assert "Nothing to stop" in printed(console)


def test_logs_without_a_state_directory_say_how_to_start(tmp_path: Path, console: Console) -> None:
    with pytest.raises(LocalServerError, match="make up"):
        commands.logs(tmp_path / "none", console, None, and_follow=False)


SECRET = "s3cret"  # noqa: S105 - made up
URLS = (f"postgresql://app:{SECRET}@127.0.0.1:1/one", f"postgresql://app:{SECRET}@127.0.0.1:1/two")


async def _refuse(url: str) -> None:
    raise ConnectionRefusedError(f"cannot connect to {url}")


@pytest.mark.parametrize("width", [60, 200])
async def test_status_shows_urls_without_passwords(tmp_path: Path, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    server = ExternalServer("replica", "TM_REPLICA_URLS", URLS, _refuse)
    table, conditions = await status_table([server], StateDirectory(tmp_path))
    console.print(table)
    assert conditions == {"ended"}
    text = "".join(printed(console).split())
    assert text.count("***@") == len(URLS)
    assert SECRET not in text


async def test_server_that_does_not_answer_is_reported_without_its_password() -> None:
    server = ExternalServer("replica", "TM_REPLICA_URLS", URLS, _refuse)
    with pytest.raises(NotReady, match=r"TM_REPLICA_URLS .*\*\*\*@") as failed:
        await server.start()
    assert SECRET not in str(failed.value)


def test_logs_are_printed_without_passwords(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = StateDirectory(tmp_path)
    state.logs.mkdir(parents=True)
    state.log("postgres").write_text(f"primary_conninfo changed to host=db password={SECRET} user=app\n")
    state.log("control-plane").write_text(f"connecting to {URLS[0]}\n")
    assert main(["--state", str(tmp_path), "logs"]) == commands.SUCCESS
    printed_logs = capsys.readouterr().out
    assert "password=*** user=app" in printed_logs
    assert "postgresql://***@127.0.0.1:1/one" in printed_logs
    assert SECRET not in printed_logs
