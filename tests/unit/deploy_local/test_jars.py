"""Only jars with the locked hash are used."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from deploy.local.errors import JarMismatch, JarUnavailable
from deploy.local.kafka.jars import LOCK, Download, LockedJar, class_path, fetch, locked_jars

CONTENT = b"the jar that was locked"
JAR = LockedJar("org.example", "broker", "1.0", hashlib.sha256(CONTENT).hexdigest())


def repository(content: bytes) -> Download:
    def download(coordinate: str, directory: Path) -> Path:
        assert coordinate == JAR.coordinate
        (directory / "downloaded").write_bytes(content)
        return directory / "downloaded"

    return download


def test_locked_jar_is_kept(tmp_path: Path) -> None:
    fetch([JAR], tmp_path, repository(CONTENT))
    assert class_path(tmp_path, [JAR]) == str(tmp_path / "broker-1.0.jar")


def test_jar_with_another_hash_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(JarMismatch, match="broker:1"):
        fetch([JAR], tmp_path, repository(b"another jar"))
    assert list(tmp_path.iterdir()) == []


def test_jar_changed_in_the_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broker-1.0.jar").write_bytes(b"changed")
    with pytest.raises(JarMismatch, match="Delete it"):
        class_path(tmp_path, [JAR])


def test_jar_that_cannot_be_downloaded_is_named(tmp_path: Path) -> None:
    def offline(_coordinate: str, _directory: Path) -> Path:
        raise ConnectionError("no route to host")

    with pytest.raises(JarUnavailable, match=r"org\.example:broker:1\.0 .*no route to host.*mirror"):
        fetch([JAR], tmp_path, offline)


def test_lock_file_covers_every_requested_jar() -> None:
    wanted = set(tomllib.loads(LOCK.with_name("jgo.toml").read_text())["dependencies"]["coordinates"])
    assert wanted <= {jar.coordinate for jar in locked_jars()}
    assert all(len(jar.sha256) == 64 for jar in locked_jars())


def test_file_names_of_locked_jars_are_unique() -> None:
    names = [jar.file_name for jar in locked_jars()]
    assert len(names) == len(set(names))
