"""`python -m control_plane` serves; other commands (see `--help`) migrate the schema, manage access keys and records in quarantine."""

import argparse
import asyncio
import sys

import msgspec

from control_plane.adapters.postgres.migrator import migrate
from control_plane.adapters.postgres.schema_revision import wait_for_schema
from control_plane.commands import (
    create_admin_key,
    drop_quarantined,
    quarantined_records,
    republish_keys,
    retry_quarantined,
)
from control_plane.errors import MigrationFailed
from control_plane.settings import ControlPlaneSettings
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.server import serve
from shared.runtime.service import Service
from shared.runtime.settings import read_settings
from shared.schemas.access import SUBJECT_RULE, Subject

_NOT_IN_QUARANTINE = {
    "retry": "There is no event with id {} and its value in quarantine (`list` prints 0 bytes without). For an access key, run `republish-keys` instead, then drop the record.",
    "drop": "There is no record with id {} in quarantine. `quarantine list` prints those that there are.",
}
_QUARANTINE_DONE = {
    "retry": "Record {} is in the outbox again; a running control plane publishes it.",
    "drop": "Record {} is deleted.",
}
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
    if options.command == "quarantine":
        return _quarantine(settings, options)
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
        "republish-keys", help="send every access key to all services again, as a new generation of their topic"
    )
    quarantine = commands.add_parser(
        "quarantine", help="list the records that Kafka refused for good, and retry or drop one"
    ).add_subparsers(dest="action", required=True)
    quarantine.add_parser("list", help="print a line of JSON for each record, with Kafka's reason")
    retry = quarantine.add_parser("retry", help="publish an event again, after its cause was fixed")
    drop = quarantine.add_parser("drop", help="delete a record for good: the audit trail will lack it")
    for each in (retry, drop):
        each.add_argument("id", type=int, help="the record's id, as printed by `list`")
    return parser


def _subject(text: str) -> str:
    try:
        return msgspec.convert(text, Subject)
    except msgspec.ValidationError:
        raise argparse.ArgumentTypeError(SUBJECT_RULE) from None


def _migrate(settings: ControlPlaneSettings) -> int:
    try:
        asyncio.run(migrate(settings.postgres_url, report=lambda wait: sys.stderr.write(f"Waiting: {wait}\n")))
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


def _quarantine(settings: ControlPlaneSettings, options: argparse.Namespace) -> int:
    try:
        if options.action == "list":
            records = asyncio.run(quarantined_records(settings))
            for record in records:
                sys.stdout.write(f"{msgspec.json.encode(record).decode()}\n")
            sys.stderr.write("" if records else "No record is in quarantine.\n")
            return 0
        act = retry_quarantined if options.action == "retry" else drop_quarantined
        is_done = asyncio.run(act(settings, options.id))
    except DependencyUnavailable as error:
        sys.stderr.write(
            f"The quarantine in the database named by TM_POSTGRES_URL was not reached: {error}. {_CHECK_DATABASE}\n"
        )
        return 1
    if not is_done:
        sys.stderr.write(f"{_NOT_IN_QUARANTINE[options.action].format(options.id)}\n")
        return 1
    sys.stdout.write(f"{_QUARANTINE_DONE[options.action].format(options.id)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
