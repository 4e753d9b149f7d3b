"""What commands print on, and their tables."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

_WIDTH_OF_A_FILE = 140


def make_console() -> Console:
    """Return a console as wide as the terminal, or wide enough for every table where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_A_FILE)


def make_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    return table
