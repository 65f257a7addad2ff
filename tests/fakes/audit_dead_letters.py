"""A dead letter queue in a list."""

from audit_consumer.domain.records import DeadLetter
from shared.runtime.resilience import DependencyUnavailable


class FakeDeadLetters:
    """Keeps every letter, unless `is_down`."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.is_down = False

    async def put(self, letter: DeadLetter) -> None:
        if self.is_down:
            raise DependencyUnavailable("kafka", "it is down")
        self.letters.append(letter)
