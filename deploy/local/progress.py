"""Shows the progress of a start."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Progress(Protocol):
    """Receives the events of a start, each with the name of a server or step."""

    def begins(self, name: str) -> None: ...

    def ready(self, name: str, note: str) -> None: ...

    def failed(self, name: str, note: str) -> None: ...


class NoProgress:
    """Shows nothing."""

    def begins(self, name: str) -> None:
        pass

    def ready(self, name: str, note: str) -> None:
        pass

    def failed(self, name: str, note: str) -> None:
        pass


class PlainProgress:
    """Prints one line for each event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begins(self, name: str) -> None:
        self._console.print(f"{name}: starting", highlight=False)

    def ready(self, name: str, note: str) -> None:
        self._console.print(f"{name}: {note}", highlight=False)

    def failed(self, name: str, note: str) -> None:
        self._console.print(f"{name}: {note}", highlight=False)


class LiveProgress:
    """Updates a table, for terminals."""

    def __init__(self) -> None:
        self._rows: dict[str, Spinner | Text] = {}

    def begins(self, name: str) -> None:
        self._rows[name] = Spinner("dots", "starting")

    def ready(self, name: str, note: str) -> None:
        self._rows[name] = Text(f"✓ {note}", "green")

    def failed(self, name: str, note: str) -> None:
        self._rows[name] = Text(f"✗ {note}", "red")

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, row in self._rows.items():
            table.add_row(f"  {name}", row)
        return table


@contextmanager
def progress_on(console: Console) -> Iterator[Progress]:
    """The kind of progress that the console can show."""
    if not console.is_terminal:
        yield PlainProgress(console)
        return
    display = LiveProgress()
    with Live(display, console=console, refresh_per_second=12):
        yield display
