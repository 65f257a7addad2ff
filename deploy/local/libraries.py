"""Shared libraries that packaged servers expect from the machine."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import MissingLibrary

_DEBIAN_PACKAGES = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}
_NOT_FOUND = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


def require_libraries(binary: Path, lister: str | None = shutil.which("ldd")) -> None:
    """Check that the machine has every shared library which `binary` is linked against.

    Raises:
        MissingLibrary: it has not; the message names the library and the Debian package.
    """
    if lister is None:
        return  # the server will say itself what it lacks
    command = [lister, str(binary)]
    report = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - our binary
    missing = missing_in(report.stdout)
    if missing:
        raise MissingLibrary(complaint(binary.name, missing))


def complaint(program: str, missing: Sequence[str]) -> str:
    """What to tell who has to install them."""
    packages = sorted({_DEBIAN_PACKAGES.get(name, f"<what provides {name}>") for name in missing})
    return (
        f"{program} needs {', '.join(missing)}, which this machine does not have; "
        f"install it (Debian: apt-get install {' '.join(packages)})"
    )


def missing_in(report: str) -> list[str]:
    """The libraries that a report of `ldd` says were not found."""
    return _NOT_FOUND.findall(report)
