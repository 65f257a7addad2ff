"""The running product, for the tests of this package."""

from tests.support.system import system as system
