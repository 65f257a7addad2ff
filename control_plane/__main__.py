"""`python -m control_plane` serves; other commands (see `--help`) migrate the schema and manage access keys."""

import argparse
import asyncio
import sys

import msgspec

from control_plane.adapters.postgres.migrator import migrate
from control_plane.adapters.postgres.schema_revision import wait_for_schema
from control_plane.commands import create_admin_key, republish_keys
from control_plane.errors import MigrationFailed
from control_plane.settings import ControlPlaneSettings
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.server import serve
from shared.runtime.service import Service
from shared.runtime.settings import read_settings
from shared.schemas.access import SUBJECT_RULE, Subject

_CHECK_DATABASE = "Check that it is reachable and migrated."


def main(arguments: list[str]) -> int:
    """Exit code: 0 done, 1 the command failed, 2 wrong arguments or environment."""
    options = _parser().parse_args(arguments)
    settings = read_settings(ControlPlaneSettings)
    if options.command == "migrate":
        return _migrate(settings)
    if options.command == "wait-for-schema":
        asyncio.run(wait_for_schema(settings.postgres_url, lambda problem: sys.stderr.write(f"Waiting: {problem}\n")))
        return 0
    if options.command == "create-admin-key":
        return _create_admin_key(settings, options.subject)
    if options.command == "republish-keys":
        return _republish_keys(settings)
    serve("control_plane.composition.app:create_app", Service.CONTROL_PLANE, settings)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m control_plane", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve until SIGTERM (the default command)")
    commands.add_parser("migrate", help="migrate the database's schema to this release")
    commands.add_parser("wait-for-schema", help="return when the schema is at least what this release needs")
    create = commands.add_parser("create-admin-key", help="create an admin key of the platform and print it once")
    create.add_argument(
        "--subject", type=_subject, default="admin", help="the subject that uses the key (default: %(default)s)"
    )
    commands.add_parser(
        "republish-keys", help="send every access key to all services again, after their topic was lost"
    )
    return parser


def _subject(text: str) -> str:
    try:
        return msgspec.convert(text, Subject)
    except msgspec.ValidationError:
        raise argparse.ArgumentTypeError(SUBJECT_RULE) from None


def _migrate(settings: ControlPlaneSettings) -> int:
    try:
        asyncio.run(migrate(settings.postgres_url))
    except MigrationFailed as error:
        sys.stderr.write(f"Migrating the database named by TM_POSTGRES_URL failed: {error}\n")
        return 1
    return 0


def _create_admin_key(settings: ControlPlaneSettings, subject: str) -> int:
    try:
        key = asyncio.run(create_admin_key(settings, subject))
    except DependencyUnavailable as error:
        sys.stderr.write(f"No key was created in the database named by TM_POSTGRES_URL: {error}. {_CHECK_DATABASE}\n")
        return 1
    sys.stdout.write(f"{key.text}\n")
    return 0


def _republish_keys(settings: ControlPlaneSettings) -> int:
    try:
        count = asyncio.run(republish_keys(settings))
    except DependencyUnavailable as error:
        sys.stderr.write(f"No key was sent from the database named by TM_POSTGRES_URL: {error}. {_CHECK_DATABASE}\n")
        return 1
    sys.stdout.write(f"{count} keys are in the outbox; a running control plane publishes them.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
