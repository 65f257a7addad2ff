"""Fixtures for all tests."""

pytest_plugins = ["tests.servers", "tests.postgres", "tests.secrets_in_logs"]
