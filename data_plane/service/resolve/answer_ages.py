"""The ages of a sample of the answers, for `tm_answer_age_seconds`."""

from shared.runtime.metrics import Metrics

SAMPLED_EVERY = 100
"""One answer in so many is observed."""


class AnswerAges:
    """Counts answers down. The resolver and the fast path each have one: they decrement `until_next` themselves, because a
    call per answer would cost the fast path more than the sample."""

    def __init__(self, metrics: Metrics) -> None:
        ages = metrics.histogram("tm_answer_age_seconds")
        self._positive, self._negative = ages.labels("positive"), ages.labels("negative")
        self.until_next = SAMPLED_EVERY

    def observe(self, age_seconds: float, *, is_negative: bool) -> None:
        """Observe the answer at which `until_next` reached 0. `age_seconds`: since its entry was read from the database."""
        self.until_next = SAMPLED_EVERY
        (self._negative if is_negative else self._positive).observe(age_seconds)
