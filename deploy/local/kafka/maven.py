"""Jars from Maven repositories, by jgo."""

import warnings
from collections.abc import Callable
from pathlib import Path

_TIMEOUT_SECONDS = 60


def opened() -> Callable[[str, Path], Path]:
    """A function that downloads one jar, without what it depends on, below a directory.

    jgo's configuration names the repositories; without one it is Maven Central. The function raises RuntimeError when
    no repository has the jar and OSError when none can be reached.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a machine without a login session; nothing here uses that
        # Imported late: most starts find every jar in the cache.
        import truststore
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext

        # The machine's certificates: a proxy may have one of its own.
        truststore.inject_into_ssl()
        repositories = GlobalSettings.load().repositories

    def download(coordinate: str, directory: Path) -> Path:
        maven = MavenContext(repo_cache=directory, remote_repos=repositories or None, timeout=_TIMEOUT_SECONDS)
        return Path(maven.create_dependency(coordinate).artifact.resolve())

    return download
