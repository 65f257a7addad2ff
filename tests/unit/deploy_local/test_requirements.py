"""Missing libraries and accounts are reported with a remedy."""

from pathlib import Path

import pytest

from deploy.local import shared_libraries
from deploy.local.errors import LocalServerError, MissingLibrary
from deploy.local.postgres_account import postgres_account

REPORT = """
	libcurl.so.4 => not found
	libssl.so.3 => not found
	libcrypto.so.3 => not found
	libodd.so.9 => not found
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1a4646d000)
"""


def test_missing_libraries_and_their_packages_are_named() -> None:
    message = shared_libraries.missing_libraries_message("mongod", shared_libraries.missing_in(REPORT))
    assert "mongod needs libcurl.so.4, libssl.so.3, libcrypto.so.3, libodd.so.9" in message
    assert "apt-get install <the package of libodd.so.9> libcurl4 libssl3" in message


def test_program_with_all_its_libraries_is_accepted() -> None:
    shared_libraries.require_libraries(Path("/bin/sh"))


def test_program_without_a_library_is_refused(tmp_path: Path) -> None:
    lister = tmp_path / "ldd"
    lister.write_text("#!/bin/sh\necho '  libcurl.so.4 => not found'\n")
    lister.chmod(0o755)
    with pytest.raises(MissingLibrary, match="libcurl4"):
        shared_libraries.require_libraries(Path("/bin/sh"), str(lister))


def test_unknown_account_is_refused() -> None:
    with pytest.raises(LocalServerError, match="TM_LOCAL_ACCOUNT"):
        postgres_account("no-such-account", user_id=0)


def test_unprivileged_user_keeps_their_account() -> None:
    assert postgres_account(None, user_id=1000) is None
