"""The broker's jars: from the lock file, downloaded once for each user, never used unverified."""

import hashlib
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from deploy.local.errors import JarMismatch, JarUnavailable
from deploy.local.kafka import maven

LOCK = Path(__file__).with_name("jgo.lock.toml")
_AT_ONCE = 8

Download = Callable[[str, Path], Path]
"""Puts the jar of a coordinate somewhere below a directory."""


class LockedJar(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the lock file."""

    group_id: str
    artifact_id: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """As Maven writes it."""
        return f"{self.group_id}:{self.artifact_id}:{self.version}"

    @property
    def file_name(self) -> str:
        """Unique among the locked jars."""
        return f"{self.artifact_id}-{self.version}.jar"


def locked_jars(lock: Path = LOCK) -> list[LockedJar]:
    """All jars, direct and not, in class path order."""
    return msgspec.convert(tomllib.loads(lock.read_text())["dependencies"], list[LockedJar])


def class_path(cache: Path, jars: Sequence[LockedJar]) -> str:
    """Java's class path of `jars`, downloading into `cache` what is not there.

    Raises:
        JarUnavailable: one cannot be downloaded.
        JarMismatch: one is not what was locked.
    """
    missing = [jar for jar in jars if not (cache / jar.file_name).exists()]
    if missing:
        fetch(missing, cache, maven.opened())
    for jar in jars:
        require_hash(jar, cache / jar.file_name)
    return ":".join(str(cache / jar.file_name) for jar in jars)


def fetch(jars: Sequence[LockedJar], cache: Path, download: Download) -> None:
    """Put `jars` into the cache.

    Elsewhere first, so that neither a part of a jar nor a wrong one is ever found in the cache.
    """
    cache.mkdir(parents=True, exist_ok=True)

    def one(jar: LockedJar) -> None:
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            try:
                arrived = download(jar.coordinate, Path(directory))
            except (RuntimeError, OSError) as error:  # the errors of requests are OSErrors
                raise JarUnavailable(
                    f"cannot download {jar.coordinate} ({error}); check network and proxy, or name a Maven mirror "
                    f"under [repositories] in jgo's configuration file, or put the jar at {cache / jar.file_name}"
                ) from error
            require_hash(jar, arrived)
            arrived.replace(cache / jar.file_name)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(one, jars))


def require_hash(jar: LockedJar, path: Path) -> None:
    """Refuse a file that is not the locked one."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise JarMismatch(
            f"{path} has SHA-256 {found}, but {LOCK.name} says {jar.sha256} for {jar.coordinate}; it was not used. "
            "Delete it to have it downloaded again; when that ends the same way, do not trust where it comes from"
        )
