"""The running product, for the tests of this folder."""

from tests.support.system import system as system
