"""Correlation ids."""

import re
from itertools import islice

from shared.runtime import correlation


def test_generated_ids_are_valid_and_unique() -> None:
    made = [*(each.decode() for each in islice(correlation.ids(), 10_000)), correlation.generate()]
    assert all(re.fullmatch("req-[0-9a-f]{16}", each) and correlation.accept(each) == each for each in made)
    assert len(set(made)) == len(made)
