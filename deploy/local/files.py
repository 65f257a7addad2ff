"""Files as this package writes and reads them."""

import os
from pathlib import Path

_TAIL_BYTES = 8_192
_ROTATE_BYTES = 20 * 1024 * 1024


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` in one step: a reader, or a crash, meets the old content or the new, never a part."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def rotate(path: Path) -> None:
    """Put a log aside that has grown large; the one put aside before is lost."""
    if path.exists() and path.stat().st_size > _ROTATE_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))


def tail(path: Path, lines: int = 20) -> str:
    """The last `lines` of a text file; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
