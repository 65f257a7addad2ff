"""The snapshot's file: a written snapshot is read back, and any other content is refused."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_plane.adapters.snapshot.file import MAX_BYTES, SnapshotFile
from data_plane.adapters.snapshot.format import END, MAGIC, VERSION, encode_head, encode_routes, parse
from data_plane.domain.entry import State
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime, RoundTrip
from data_plane.domain.snapshot import HostTime, KeptRoute, Snapshot, SnapshotHead
from data_plane.errors import SnapshotNotWritten, SnapshotRefused
from shared.runtime.clock import BootTime
from shared.schemas.identity import RouteKey
from tests.fakes.snapshots import sealed
from tests.support.active_values import a_value

HOST = HostTime(
    "a boot",
    BootTime(301_200.25),
    RoundTrip(BootTime(301_199.5), BootTime(301_199.75), PrimaryTime(1_767_225_599.625)),
)
HEAD = SnapshotHead(1_767_225_600.0, {0: 17, 7: 0}, {"team-a": 42}, HOST)


def a_route(number: int = 1, url: str | None = "https://v1") -> KeptRoute:
    state = State.INACTIVE if url is None else State.ACTIVE
    key = RouteKey("team-a", f"service-{number}", "prod", "v1")
    return KeptRoute(key, state, a_value(url), number, BootTime(301_190.5), BootTime(301_250.5), UNPROVEN, 42)


async def of(*batches: Sequence[KeptRoute]) -> AsyncIterator[Sequence[KeptRoute]]:
    for batch in batches:
        yield batch


def content(*routes: KeptRoute) -> bytes:
    return sealed(encode_head(HEAD) + encode_routes(routes) + END)


async def test_written_snapshot_is_read_back(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "made" / "resolver")
    size = await file.write(HEAD, of([a_route(1), a_route(2, None)], [], [a_route(3)]))
    assert await file.read() == Snapshot(HEAD, [a_route(1), a_route(2, None), a_route(3)])
    assert size == (tmp_path / "made" / "resolver").stat().st_size
    assert os.listdir(tmp_path / "made") == ["resolver"]
    assert (tmp_path / "made" / "resolver").stat().st_mode & 0o077 == 0


async def test_missing_file_is_no_snapshot(tmp_path: Path) -> None:
    assert await SnapshotFile(tmp_path / "none").read() is None


async def test_many_routes_are_written_in_pieces_and_read_back(tmp_path: Path) -> None:
    routes = [a_route(number, f"https://example.com/{'x' * 500}/{number}") for number in range(3000)]
    file = SnapshotFile(tmp_path / "resolver")
    await file.write(HEAD, of(*(routes[start : start + 100] for start in range(0, 3000, 100))))
    found = await file.read()
    assert found is not None
    assert list(found.routes) == routes


async def test_unfinished_write_leaves_the_previous_snapshot(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "resolver")
    await file.write(HEAD, of([a_route(1)]))
    stuck = asyncio.Event()

    async def never_done() -> AsyncIterator[Sequence[KeptRoute]]:
        yield [a_route(2)]
        stuck.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(file.write(HEAD, never_done()))
    await stuck.wait()
    with pytest.raises(SnapshotNotWritten, match="resolver was not replaced"):
        await file.write(HEAD, of([a_route(3)]))  # two at a time: one leaves it to the other
    writing.cancel()
    await asyncio.wait([writing])
    assert await file.read() == Snapshot(HEAD, [a_route(1)])
    await file.write(HEAD, of([a_route(3)]))
    assert await file.read() == Snapshot(HEAD, [a_route(3)])


@pytest.mark.parametrize("foreign", ["text", "pipe", "folder"])
async def test_foreign_file_is_neither_read_nor_replaced(tmp_path: Path, foreign: str) -> None:
    path = tmp_path / "precious"
    if foreign == "text":
        path.write_text("my notes")
    elif foreign == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(SnapshotRefused):
        await SnapshotFile(path).read()
    with pytest.raises(SnapshotNotWritten):
        await SnapshotFile(path).write(HEAD, of([a_route()]))
    assert foreign != "text" or path.read_text() == "my notes"


async def test_oversized_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "resolver"
    path.write_bytes(MAGIC)
    os.truncate(path, MAX_BYTES + 1)  # takes no room on the disk
    with pytest.raises(SnapshotRefused, match=f"resolver: it has {MAX_BYTES + 1} bytes, and no snapshot is larger"):
        await SnapshotFile(path).read()


@pytest.mark.parametrize("mode", [0o620, 0o602])
async def test_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "resolver"
    await SnapshotFile(path).write(HEAD, of([a_route()]))
    path.chmod(mode)
    with pytest.raises(SnapshotRefused, match="others"):
        await SnapshotFile(path).read()


async def test_unwritable_folder_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SnapshotNotWritten, match="was not replaced"):
        await SnapshotFile(tmp_path / "file" / "resolver").write(HEAD, of([a_route()]))


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
@example(len(MAGIC) + 1, 1)
def test_any_wrong_byte_is_refused(place: int, difference: int) -> None:
    wrong = bytearray(content(a_route(1), a_route(2, None)))
    wrong[place % len(wrong)] ^= difference
    with pytest.raises(SnapshotRefused):
        parse(bytes(wrong))


def test_every_truncation_is_refused() -> None:
    whole = content(a_route(1), a_route(2, None))
    for length in range(len(whole)):
        with pytest.raises(SnapshotRefused):
            parse(whole[:length])


@given(st.binary())
@example(b"")
@example(b"\x00\x00\x00\x00")
@example(b"\x00\x00\x00\x01\x93" + END)
@example(b"\xff\xff\xff\xff")
@example(encode_head(HEAD)[len(MAGIC) + 2 :])
@example(encode_head(HEAD)[len(MAGIC) + 2 :] + b"\x00\x00\x10\x00" + b"\x91" * 4096 + END)
def test_arbitrary_bytes_with_a_valid_checksum_are_refused(body: bytes) -> None:
    with pytest.raises(SnapshotRefused):
        parse(sealed(MAGIC + VERSION.to_bytes(2, "big") + body))


_TEXT = st.text(max_size=5)
_NUMBER = st.integers(min_value=-(2**63), max_value=2**64 - 1)


@given(st.lists(st.one_of(_TEXT, _NUMBER, st.none(), st.booleans(), st.floats()), max_size=10))
@example(["team-a", "payments", "prod", "v1", "", -1, 0, 0, 0, 0])
@example(["", "payments", "prod", "v1", "", 1, 0, 0, 0, 0])
@example(["team-a", "payments", "prod", "v1", "https://x", 1, 2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1])
def test_route_with_arbitrary_fields_is_read_or_refused(values: list[object]) -> None:
    frame = msgspec.msgpack.encode([values])
    try:
        found = parse(sealed(encode_head(HEAD) + len(frame).to_bytes(4, "big") + frame + END))
    except SnapshotRefused:
        return
    assert [str(each.key) for each in found.routes] == [":".join(map(str, values[:4]))]


@pytest.mark.parametrize("version", [1, 9])
def test_other_format_version_is_refused(version: int) -> None:
    another = bytearray(content(a_route()))
    another[len(MAGIC) + 1] = version
    with pytest.raises(SnapshotRefused, match=f"version {version}, and this release reads version {VERSION}"):
        parse(bytes(another))


async def test_unknown_host_time_is_read_back_as_unknown(tmp_path: Path) -> None:
    head = replace(HEAD, host=HostTime("", BootTime(3.5), None))
    young = replace(a_route(), read_at=BootTime(-56.5))
    await SnapshotFile(tmp_path / "resolver").write(head, of([young]))
    assert await SnapshotFile(tmp_path / "resolver").read() == Snapshot(head, [young])
