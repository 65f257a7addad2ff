"""Log rotation, and the end of a text file."""

from pathlib import Path

_TAIL_BYTES = 32_768
_ROTATE_BYTES = 20 * 1024 * 1024


def rotate(path: Path) -> None:
    """Rename a large log to `….1`, which replaces the log of the rotation before."""
    if path.exists() and path.stat().st_size > _ROTATE_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))


def tail(path: Path, lines: int = 20) -> str:
    """The last `lines` of a text file; empty if the file is missing."""
    try:
        with path.open("rb") as file:
            start = max(0, path.stat().st_size - _TAIL_BYTES)
            file.seek(start)
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    complete = text.splitlines()
    if start and len(complete) > 1:
        del complete[0]  # a part of a line: a password in it could not be recognised
    return "\n".join(complete[-lines:])
