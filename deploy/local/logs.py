"""Prints and follows logs."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.errors import LocalServerError
from deploy.local.files import tail
from deploy.local.state import StateDirectory

_LINES = 20
_POLL_SECONDS = 0.2


def log_files(state: StateDirectory, name: str | None) -> list[Path]:
    """The log of `name`, or all logs if it is None.

    Raises:
        LocalServerError: there is no such log.
    """
    present = sorted(state.logs.glob("*.log"))
    if not present:
        raise LocalServerError("there are no logs yet; make up starts everything")
    if name is None:
        return present
    if state.log(name) in present:
        return [state.log(name)]
    raise LocalServerError(f"there is no log of {name}; choose one of {', '.join(path.stem for path in present)}")


def print_tails(files: Sequence[Path], write: Callable[[str], None]) -> None:
    """Print the last lines of each log. Of several logs, print those that are not empty, each below its path."""
    for path in files:
        text = tail(path, _LINES)
        if len(files) > 1:
            if not text:
                continue
            write(f"==> {path} <==")
        write(text)


def follow(files: Sequence[Path], write: Callable[[str], None]) -> None:
    """Print every new line until interrupted, after its log's name if there are several."""
    positions = {path: path.stat().st_size for path in files}
    while True:
        for path in files:
            size = path.stat().st_size
            if size < positions[path]:  # the log was rotated
                positions[path] = 0
            for line in _complete_lines(path, positions):
                write(f"{path.stem} | {line}" if len(files) > 1 else line)
        time.sleep(_POLL_SECONDS)


def _complete_lines(path: Path, positions: dict[Path, int]) -> list[str]:
    with path.open("rb") as file:
        file.seek(positions[path])
        added = file.read()
    complete = added[: added.rfind(b"\n") + 1]
    positions[path] += len(complete)
    return complete.decode(errors="replace").splitlines()
