"""Downloads jars from Maven repositories with jgo."""

import warnings
from collections.abc import Callable
from pathlib import Path

_TIMEOUT_SECONDS = 60


def downloader() -> Callable[[str, Path], Path]:
    """A function that downloads one jar, without its dependencies, into a directory.

    jgo's configuration has the repositories; the default is Maven Central. The function raises RuntimeError if no repository
    has the jar, and OSError if none can be reached.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing login session, which is not used here
        # Slow imports: most starts find every jar in the cache.
        import truststore
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext

        # Use the machine's certificates, which can include one of a proxy.
        truststore.inject_into_ssl()
        repositories = GlobalSettings.load().repositories

    def download(coordinate: str, directory: Path) -> Path:
        maven = MavenContext(repo_cache=directory, remote_repos=repositories or None, timeout=_TIMEOUT_SECONDS)
        return Path(maven.create_dependency(coordinate).artifact.resolve())

    return download
