"""The snapshot in a file, which is replaced as a whole or not at all."""

import asyncio
import fcntl
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from data_plane.adapters.snapshot.format import END, MAGIC, frame_of, opening, parse
from data_plane.domain.snapshot import KeptRoute, Snapshot, SnapshotHead
from data_plane.errors import SnapshotNotWritten, SnapshotRefused
from shared.runtime.atomic_file import put_in_place

FLUSH_BYTES = 256 * 1024
"""What is handed to the disk at once. Encoding is done on the event loop, in small pieces; the disk in a thread."""

MOST_BYTES = 2 * 1024**3
"""A larger file is none that was meant: ten million routes, the most a process may be told to keep, take about 1.1 GB. It
is read whole, and must not be what takes the memory that answering needs.
"""


class SnapshotFile:
    """One file for all worker processes of an instance; of two that write at the same time, one leaves it to the other."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Snapshot | None:
        return await asyncio.to_thread(self._read)

    async def write(self, head: SnapshotHead, batches: AsyncIterator[Sequence[KeptRoute]]) -> int:
        try:
            partial = await asyncio.to_thread(_Partial, self._path)
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
            raise SnapshotRefused(f"{self._path} takes more memory than there is") from error

    def _content(self) -> bytes:
        """All of the file, or as much as shows that it is none of ours."""
        with open(self._path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise SnapshotRefused("it is not a file")
            begins = file.read(len(MAGIC))
            # Whatever else it is, it may be of any size.
            if begins != MAGIC:
                return begins
            if found.st_size > MOST_BYTES:
                raise SnapshotRefused(f"it has {found.st_size} bytes, and no snapshot is larger than {MOST_BYTES}")
            return begins + file.read()

    def _failed(self, error: OSError) -> SnapshotNotWritten:
        return SnapshotNotWritten(f"{self._path} was not replaced: {error}")


async def _fill(partial: "_Partial", head: SnapshotHead, batches: AsyncIterator[Sequence[KeptRoute]]) -> int:
    pending = bytearray(opening(head))
    async for batch in batches:
        pending += frame_of(batch)
        if len(pending) >= FLUSH_BYTES:
            ready, pending = pending, bytearray()
            await asyncio.to_thread(partial.write, ready)
    pending += END
    await asyncio.to_thread(partial.write, pending)
    return await asyncio.to_thread(partial.put_in_place)


class _Partial:
    """The file that is going to be the snapshot. What a crash leaves of it is used again by the next one."""

    def __init__(self, path: Path) -> None:
        _refuse_foreign(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._name = path.with_name(f"{path.name}.partial")
        self._digest = hashlib.sha256()
        # Buffered for its lock: closing waits for a write under way in another thread.
        self._file = os.fdopen(os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb")
        try:
            self._take()
        except BaseException:
            self._file.close()
            raise

    def _take(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking, another process may have put it in place.
        if not self._name.exists() or self._name.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
            raise BlockingIOError("another process has just written it")
        self._file.truncate(0)

    def write(self, some: bytearray) -> None:
        self._digest.update(some)
        self._file.write(some)

    def put_in_place(self) -> int:
        """Returns the bytes of the whole file, which survives a power failure from then on."""
        self._file.write(self._digest.digest())
        self._file.flush()
        os.fsync(self._file.fileno())
        size = os.fstat(self._file.fileno()).st_size
        put_in_place(self._name, self._path)
        return size

    def close(self) -> None:
        self._file.close()


def _open_at_once(path: str, flags: int) -> int:
    # A named pipe would keep the opener waiting.
    return os.open(path, flags | os.O_NONBLOCK)


def _refuse_foreign(path: Path) -> None:
    """Raises OSError where the path names somebody else's file: it is not ours to replace."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            is_ours = stat.S_ISREG(os.fstat(file.fileno()).st_mode) and MAGIC.startswith(file.read(len(MAGIC)))
    except FileNotFoundError:
        return
    if not is_ours:
        raise FileExistsError("another kind of file stands there; move it away, or name another path")
