"""Run by Alembic for each migration command; the connection comes from the caller, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
