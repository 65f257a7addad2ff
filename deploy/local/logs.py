"""Reading logs: all of them side by side, or one, and what is added to them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.errors import LocalServerError
from deploy.local.files import tail
from deploy.local.state import StateDirectory

_LINES = 20
_POLL_SECONDS = 0.2


def log_files(state: StateDirectory, name: str | None) -> list[Path]:
    """The log of `name`, or all logs.

    Raises:
        LocalServerError: there is none.
    """
    present = sorted(state.logs.glob("*.log"))
    if not present:
        raise LocalServerError("there are no logs yet; make up starts the servers")
    if name is None:
        return present
    if state.log(name) in present:
        return [state.log(name)]
    raise LocalServerError(f"there is no log of {name}; there are {', '.join(path.stem for path in present)}")


def print_tails(files: Sequence[Path], write: Callable[[str], None]) -> None:
    """The last lines of each, under its name when there are several."""
    for path in files:
        if len(files) > 1:
            write(f"==> {path} <==")
        write(tail(path, _LINES))


def follow(files: Sequence[Path], write: Callable[[str], None]) -> None:
    """Every line that is added, until interrupted; each after its log's name when there are several."""
    positions = {path: path.stat().st_size for path in files}
    while True:
        for path in files:
            size = path.stat().st_size
            if size < positions[path]:  # put aside and begun anew
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
