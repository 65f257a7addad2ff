"""The broker's jars: listed in the lock file, downloaded once per user, and verified before each use."""

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
_PARALLEL_DOWNLOADS = 8

Download = Callable[[str, Path], Path]
"""Downloads the jar of a coordinate into a directory. Returns its path."""


class LockedJar(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the lock file."""

    group_id: str
    artifact_id: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """The Maven coordinate."""
        return f"{self.group_id}:{self.artifact_id}:{self.version}"

    @property
    def file_name(self) -> str:
        """Unique among the locked jars."""
        return f"{self.artifact_id}-{self.version}.jar"


def locked_jars(lock: Path = LOCK) -> list[LockedJar]:
    """All jars, including transitive ones, in class path order."""
    return msgspec.convert(tomllib.loads(lock.read_text())["dependencies"], list[LockedJar])


def class_path(cache: Path, jars: Sequence[LockedJar]) -> str:
    """Java's class path of `jars`. Missing jars are downloaded into `cache`.

    Raises:
        JarUnavailable: a jar cannot be downloaded.
        JarMismatch: the hash of a jar differs from the lock file.
    """
    missing = [jar for jar in jars if not (cache / jar.file_name).exists()]
    if missing:
        fetch(missing, cache, maven.downloader())
    for jar in jars:
        require_hash(jar, cache / jar.file_name)
    return ":".join(str(cache / jar.file_name) for jar in jars)


def fetch(jars: Sequence[LockedJar], cache: Path, download: Download) -> None:
    """Download `jars` into the cache.

    A jar is downloaded elsewhere and verified first, so that the cache never has a partial or wrong jar.
    """
    cache.mkdir(parents=True, exist_ok=True)

    def one(jar: LockedJar) -> None:
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            try:
                downloaded = download(jar.coordinate, Path(directory))
            except (RuntimeError, OSError) as error:  # the errors of requests are OSErrors
                raise JarUnavailable(
                    f"cannot download {jar.coordinate} ({error}); check network and proxy, or add a Maven mirror "
                    f"to [repositories] in jgo's configuration file, or put the jar at {cache / jar.file_name}"
                ) from error
            require_hash(jar, downloaded)
            downloaded.replace(cache / jar.file_name)

    with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as threads:
        list(threads.map(one, jars))


def require_hash(jar: LockedJar, path: Path) -> None:
    """Check the file against the hash in the lock file. Raises JarMismatch."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise JarMismatch(
            f"{path} has SHA-256 {found}, but {LOCK.name} has {jar.sha256} for {jar.coordinate}; it was not used. "
            "Delete it to download it again. If the hash differs again, do not trust the repository"
        )
