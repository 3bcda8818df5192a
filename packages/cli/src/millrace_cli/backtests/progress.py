"""Progress bars on standard error: shown on a terminal only."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def messages_bar(console: Console) -> Progress:
    """Return a bar that counts, such as messages."""
    return _bar(console, MofNCompleteColumn())


def share_bar(console: Console) -> Progress:
    """Return a bar that shows how much of something is done."""
    return _bar(console, TaskProgressColumn())


def _bar(console: Console, done: MofNCompleteColumn | TaskProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        done,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
