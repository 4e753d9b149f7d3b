"""What commands print on."""

from rich.console import Console

_WIDTH_OF_A_FILE = 140


def make_console() -> Console:
    """Return a console as wide as the terminal, or wide enough for every table where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_A_FILE)
