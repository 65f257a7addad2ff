"""Fixtures for all tests."""

pytest_plugins = ["tests.support.servers", "tests.support.postgres", "tests.support.secrets_in_logs"]
