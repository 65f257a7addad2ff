"""`python -m control_plane` serves; `python -m control_plane migrate` brings the database's schema up to date."""

import asyncio
import sys

from control_plane.adapters.postgres.migrator import migrate
from control_plane.errors import MigrationFailed
from control_plane.settings import ControlPlaneSettings
from shared.runtime.catalogue import Service
from shared.runtime.server import serve
from shared.runtime.settings import read_settings

_USAGE = "usage: python -m control_plane [serve | migrate]"


def main(arguments: list[str]) -> int:
    """Exit code: 0 done, 1 the migration failed, 2 wrong arguments or environment."""
    if arguments not in ([], ["serve"], ["migrate"]):
        sys.stderr.write(_USAGE + "\n")
        return 2
    settings = read_settings(ControlPlaneSettings)
    if arguments == ["migrate"]:
        return _migrate(settings)
    serve("control_plane.app:create_app", Service.CONTROL_PLANE, settings)
    return 0


def _migrate(settings: ControlPlaneSettings) -> int:
    try:
        asyncio.run(migrate(settings.postgres_url))
    except MigrationFailed as error:
        sys.stderr.write(f"Migrating the database named by TM_POSTGRES_URL failed; {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
