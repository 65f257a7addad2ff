"""Alembic runs this for each migration command, on the caller's connection and in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
