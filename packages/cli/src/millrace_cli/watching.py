"""Showing a picture while it changes: live on a terminal, a line now and then anywhere else."""

import asyncio
import time

from rich.console import Console
from rich.live import Live

from millrace_cli.dashboard import render, summary
from millrace_cli.picture import Picture

_LIVE_PERIOD_S = 0.5
_LINE_PERIOD_S = 5.0


async def show(picture: Picture, console: Console, headline: str, *, quiet: bool) -> None:
    """Show the picture until cancelled; show nothing when quiet."""
    if quiet:
        return
    if not console.is_terminal:
        await _lines(picture, console)
    else:
        await _live(picture, console, headline)


async def _lines(picture: Picture, console: Console) -> None:
    while True:
        await asyncio.sleep(_LINE_PERIOD_S)
        console.print(summary(picture, time.monotonic()))


async def _live(picture: Picture, console: Console, headline: str) -> None:
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(render(picture, time.monotonic(), headline), refresh=True)
            await asyncio.sleep(_LIVE_PERIOD_S)
