"""What a start looks like while it happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Progress(Protocol):
    """Told about every server that is started."""

    def begins(self, name: str) -> None: ...

    def ready(self, name: str, note: str) -> None: ...

    def failed(self, name: str, note: str) -> None: ...


class Silent:
    """For tests."""

    def begins(self, name: str) -> None:
        pass

    def ready(self, name: str, note: str) -> None:
        pass

    def failed(self, name: str, note: str) -> None:
        pass


class Lines:
    """One plain line for each event: logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begins(self, name: str) -> None:
        self._console.print(f"{name}: starting", highlight=False)

    def ready(self, name: str, note: str) -> None:
        self._console.print(f"{name}: {note}", highlight=False)

    def failed(self, name: str, note: str) -> None:
        self._console.print(f"{name}: {note}", highlight=False)


class Display:
    """A table that fills in: terminals."""

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
def shown_on(console: Console) -> Iterator[Progress]:
    """The progress that suits the console."""
    if not console.is_terminal:
        yield Lines(console)
        return
    display = Display()
    with Live(display, console=console, refresh_per_second=12):
        yield display
