"""`python -m deploy.local.kafka`: resolve jgo.toml and write jgo.lock.toml."""

import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec
from jgo.maven import MavenContext

from deploy.local.kafka.jars import LOCK

SPEC = LOCK.with_name("jgo.toml")


def main() -> None:
    """Lock every jar, including transitive ones, with its SHA-256."""
    with tempfile.TemporaryDirectory() as directory:
        maven = MavenContext(repo_cache=Path(directory) / "jars", timeout=60)
        builder = EnvironmentBuilder(context=maven, cache_dir=Path(directory) / "work")
        builder.resolve_lockfile(EnvironmentSpec.load(SPEC)).save(LOCK)


main()
