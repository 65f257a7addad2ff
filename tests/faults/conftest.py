"""The running product, for the tests of this folder."""

from tests.system import system as system
