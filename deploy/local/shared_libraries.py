"""Checks the shared libraries that packaged servers need from the operating system."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import MissingLibrary

_DEBIAN_PACKAGES = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}
_NOT_FOUND = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


def require_libraries(binary: Path, lister: str | None = shutil.which("ldd")) -> None:
    """Check that the machine has every shared library that `binary` is linked against.

    Raises:
        MissingLibrary: a library is missing. The message names it and its Debian package.
    """
    if lister is None:
        return  # without ldd, the server itself reports what is missing
    command = [lister, str(binary)]
    report = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - our binary
    missing = missing_in(report.stdout)
    if missing:
        raise MissingLibrary(missing_libraries_message(binary.name, missing))


def missing_libraries_message(program: str, missing: Sequence[str]) -> str:
    """The error message, with the packages to install."""
    packages = sorted({_DEBIAN_PACKAGES.get(name, f"<the package of {name}>") for name in missing})
    return (
        f"{program} needs {', '.join(missing)}, which this machine does not have; "
        f"install it (Debian: apt-get install {' '.join(packages)})"
    )


def missing_in(report: str) -> list[str]:
    """The libraries that `ldd` reports as not found."""
    return _NOT_FOUND.findall(report)
