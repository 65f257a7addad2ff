"""The snapshot file, which is replaced atomically."""

import asyncio
import fcntl
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from data_plane.adapters.snapshot.format import END, MAGIC, encode_head, encode_routes, parse
from data_plane.domain.snapshot import KeptRoute, Snapshot, SnapshotHead
from data_plane.errors import SnapshotNotWritten, SnapshotRefused
from shared.runtime.atomic_file import put_in_place

FLUSH_BYTES = 256 * 1024
"""Size of a write. Routes are encoded on the event loop in small batches, and written to disk in a thread."""

MAX_BYTES = 2 * 1024**3
"""Larger files are refused: a file is read whole, and ten million routes, the maximum of the settings, take about 1.1 GB."""


_WRITABLE_BY_OTHERS = 0o022


class SnapshotFile:
    """One file for all worker processes of an instance. Of two that write at the same time, one gives up."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Snapshot | None:
        return await asyncio.to_thread(self._read)

    async def write(self, head: SnapshotHead, batches: AsyncIterator[Sequence[KeptRoute]]) -> int:
        try:
            partial = await asyncio.to_thread(_PartialFile, self._path)
        except OSError as error:
            raise self._failed(error) from error
        try:
            return await _fill(partial, head, batches)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            partial.close()

    def _read(self) -> Snapshot | None:
        try:
            return parse(self._content())
        except FileNotFoundError:
            return None
        except SnapshotRefused as refusal:
            raise SnapshotRefused(f"{self._path}: {refusal}") from refusal
        except OSError as error:
            raise SnapshotRefused(f"{self._path} cannot be read: {error}") from error
        except MemoryError as error:
            raise SnapshotRefused(f"{self._path} does not fit into memory") from error

    def _content(self) -> bytes:
        """The whole file, or only its first bytes if they show that it is no snapshot."""
        with open(self._path, "rb", opener=_open_nonblocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SnapshotRefused("it is not a regular file")
            # A user who can write the file decides to which URLs callers are sent.
            if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
                raise SnapshotRefused(
                    "others than this process's user can write it; remove it, or set its owner and mode"
                )
            magic = file.read(len(MAGIC))
            # Another kind of file can have any size.
            if magic != MAGIC:
                return magic
            if status.st_size > MAX_BYTES:
                raise SnapshotRefused(f"it has {status.st_size} bytes, and no snapshot is larger than {MAX_BYTES}")
            return magic + file.read()

    def _failed(self, error: OSError) -> SnapshotNotWritten:
        return SnapshotNotWritten(f"{self._path} was not replaced: {error}")


async def _fill(partial: "_PartialFile", head: SnapshotHead, batches: AsyncIterator[Sequence[KeptRoute]]) -> int:
    pending = bytearray(encode_head(head))
    async for batch in batches:
        pending += encode_routes(batch)
        if len(pending) >= FLUSH_BYTES:
            ready, pending = pending, bytearray()
            await asyncio.to_thread(partial.write, ready)
    pending += END
    await asyncio.to_thread(partial.write, pending)
    return await asyncio.to_thread(partial.put_in_place)


class _PartialFile:
    """The file that will replace the snapshot. The next write reuses what a crash has left of it."""

    def __init__(self, path: Path) -> None:
        _refuse_foreign(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial_path = path.with_name(f"{path.name}.partial")
        self._digest = hashlib.sha256()
        # Buffered, because a buffered file has a lock: closing then waits for a write in another thread.
        self._file = os.fdopen(os.open(self._partial_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb")
        try:
            self._lock()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another process may have renamed it between opening and locking.
        if not self._partial_path.exists() or self._partial_path.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
            raise BlockingIOError("another process has just written the snapshot")
        self._file.truncate(0)

    def write(self, content: bytearray) -> None:
        self._digest.update(content)
        self._file.write(content)

    def put_in_place(self) -> int:
        """Sync the file and rename it. Returns its size in bytes; it survives a power failure from then on."""
        self._file.write(self._digest.digest())
        self._file.flush()
        os.fsync(self._file.fileno())
        size = os.fstat(self._file.fileno()).st_size
        put_in_place(self._partial_path, self._path)
        return size

    def close(self) -> None:
        self._file.close()


def _open_nonblocking(path: str, flags: int) -> int:
    # Opening a named pipe would block.
    return os.open(path, flags | os.O_NONBLOCK)


def _refuse_foreign(path: Path) -> None:
    """Raises OSError if the path names another kind of file, which must not be replaced."""
    try:
        with open(path, "rb", opener=_open_nonblocking) as file:
            is_ours = stat.S_ISREG(os.fstat(file.fileno()).st_mode) and MAGIC.startswith(file.read(len(MAGIC)))
    except FileNotFoundError:
        return
    if not is_ours:
        raise FileExistsError("another kind of file has this path; move it, or set another path")
