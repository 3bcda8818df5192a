"""The demo's dashboard in the terminal, what matters first: on a small one the rest is cut off.

Trouble, own orders, latency of the last minute, agents, books, streams.
"""

import asyncio
import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from millrace_cli.picture import Picture
from millrace_cli.recent_latency import figures
from millrace_cli.sections import agents, books, latencies, order_line, orders, streams, trouble
from millrace_core.clock import now_ms

_LIVE_PERIOD_S = 0.5
_LINE_PERIOD_S = 5.0
NOTICES_SHOWN_S = 30.0


def render(
    picture: Picture, now_s: float, at_ms: int, headline: str = "", notices: Sequence[str] = ()
) -> RenderableType:
    """Return the dashboard; `headline` shows addresses, how to stop and to sign in, `notices` are shown below it."""
    return Group(
        summary(picture, now_s),
        Text(headline, style="dim", overflow="fold"),
        *(Text(notice, style="yellow", overflow="fold") for notice in notices),
        trouble(picture, at_ms),
        *orders(picture, at_ms),
        latencies(figures(picture.recent.hops(now_s))),
        agents(picture, at_ms),
        books(picture),
        streams(picture),
    )


def summary(picture: Picture, now_s: float) -> Text:
    """Return one line about the run."""
    rate = sum(view.rate() for view in picture.streams.values())
    total = sum(view.messages for view in picture.streams.values())
    gaps = sum(view.gaps for view in picture.streams.values())
    recoveries = sum(view.recoveries for view in picture.streams.values())
    return Text(
        f"{now_s - picture.started_s:4.0f} s  {total:,} messages  {rate:,.0f}/s  "
        f"{gaps} gaps  {recoveries} recoveries  {picture.error_count} errors",
        style="bold red" if picture.error_count else "bold",
        no_wrap=True,
    )


def closing_words(picture: Picture) -> RenderableType:
    """Return the summary that is printed when a run is over."""
    return Group(order_line(picture), latencies(figures(picture.hops), counted=True), trouble(picture, now_ms()))


async def show(picture: Picture, console: Console, headline: str, notices: Sequence[str], *, quiet: bool) -> None:
    """Show the picture until cancelled: live on a terminal, else as one line every 5 s; nothing when `quiet`.

    The live picture shows the notices, such as tokens, for a while; then, and when it ends, they are gone.
    """
    if quiet:
        return
    if console.is_terminal:
        await _live(picture, console, headline, notices)
    else:
        await _lines(picture, console)


async def _lines(picture: Picture, console: Console) -> None:
    while True:
        await asyncio.sleep(_LINE_PERIOD_S)
        console.print(summary(picture, time.monotonic()))


async def _live(picture: Picture, console: Console, headline: str, notices: Sequence[str]) -> None:
    hidden_at_s = time.monotonic() + NOTICES_SHOWN_S
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            now_s = time.monotonic()
            shown = notices if now_s < hidden_at_s else ()
            live.update(render(picture, now_s, now_ms(), headline, shown), refresh=True)
            await asyncio.sleep(_LIVE_PERIOD_S)
