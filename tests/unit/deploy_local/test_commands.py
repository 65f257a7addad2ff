"""Commands on a directory where nothing was started."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import commands
from deploy.local.errors import LocalServerError
from deploy.local.stack import open_stack


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_status_of_nothing_says_how_to_start(tmp_path: Path, console: Console) -> None:
    assert await commands.status(tmp_path / "none", console) == commands.NOT_RUNNING
    assert "make up" in printed(console)
    assert not (tmp_path / "none").exists()


async def test_status_of_what_was_stopped_says_how_to_start(tmp_path: Path, console: Console) -> None:
    open_stack(tmp_path).state.port("redis")
    assert await commands.status(tmp_path, console) == commands.NOT_RUNNING
    assert "stopped" in printed(console)
    assert "make up" in printed(console)


async def test_down_of_nothing_is_done(tmp_path: Path, console: Console) -> None:
    assert await commands.down(tmp_path / "none", console, purge=True) == commands.SUCCESS
    assert "Nothing to stop" in printed(console)


def test_logs_of_nothing_say_how_to_start(tmp_path: Path, console: Console) -> None:
    with pytest.raises(LocalServerError, match="make up"):
        commands.logs(tmp_path / "none", console, None, and_follow=False)
