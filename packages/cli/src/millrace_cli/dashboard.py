"""The demo's dashboard in the terminal: books, streams, orders, latencies, errors."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from millrace_cli.picture import Picture, StreamView
from millrace_core.states import BookState

_SHOWN_ERRORS = 5
_LIVE_PERIOD_S = 0.5
_LINE_PERIOD_S = 5.0
_GAP = Text()
_GOOD = {"live", "running", "done", "closed"}
_BAD = {"failed", "dead", "rejected", "expired"}


def render(picture: Picture, now_s: float, headline: str) -> RenderableType:
    """Return the dashboard; `headline` shows addresses and how to stop."""
    return Group(
        Text(headline, style="bold"),
        summary(picture, now_s),
        _GAP,
        Columns([_books(picture), _orders(picture)], padding=(0, 4)),
        _GAP,
        Columns([_latencies(picture), _agents(picture)], padding=(0, 4)),
        _GAP,
        _streams(picture),
        _GAP,
        _errors(picture),
    )


def summary(picture: Picture, now_s: float) -> Text:
    """Return one line about the run."""
    rate = sum(view.rate() for view in picture.streams.values())
    total = sum(view.messages for view in picture.streams.values())
    gaps = sum(view.gaps for view in picture.streams.values())
    recoveries = sum(view.recoveries for view in picture.streams.values())
    return Text(
        f"{now_s - picture.started_s:6.0f} s   {total:,} messages   {rate:,.0f}/s   "
        f"{gaps} gaps   {recoveries} recoveries   {picture.error_count} errors"
    )


def _books(picture: Picture) -> RenderableType:
    table = _table("Order books", "symbol", ">bid amount", ">bid", ">ask", ">ask amount", "book")
    for view in _views(picture):
        if isinstance(view.state, BookState):
            bid, ask = view.state.book.bids.best(), view.state.book.asks.best()
            table.add_row(
                str(view.name.symbol),
                *((f"{bid[1]:g}", f"[green]{bid[0]:g}[/]") if bid else ("", "")),
                *((f"[red]{ask[0]:g}[/]", f"{ask[1]:g}") if ask else ("", "")),
                _coloured(view.status) if view.trusted else "[yellow]untrusted[/]",
            )
    return table


def _orders(picture: Picture) -> RenderableType:
    table = _table("Orders and answers", "status", ">number")
    for title, counts in (("", Counter(picture.orders.values())), ("answered ", picture.answers)):
        for status, number in sorted(counts.items()):
            table.add_row(f"{title}{_coloured(status)}", f"{number:,}")
    return table


def _latencies(picture: Picture) -> RenderableType:
    table = _table("Latency, ms", "hop", ">p50", ">p99", ">count", "p50")
    hops = picture.latency_ms()
    longest = max((figures["p50"] for figures in hops.values()), default=0.0) or 1.0
    for hop, figures in hops.items():
        bar = "█" * max(1, round(12 * figures["p50"] / longest))
        table.add_row(hop, f"{figures['p50']:.2f}", f"{figures['p99']:.2f}", f"{figures['count']:,}", f"[cyan]{bar}[/]")
    return table


def _agents(picture: Picture) -> RenderableType:
    table = _table("Agents", "agent", "state", ">units", "not live")
    for heartbeat in sorted(picture.heartbeats.values(), key=lambda beat: beat.id):
        troubled = [f"{unit.name} {unit.state}" for unit in heartbeat.units if unit.state != "live"]
        table.add_row(heartbeat.id, _coloured(heartbeat.state), str(len(heartbeat.units)), ", ".join(troubled[:2]))
    return table


def _streams(picture: Picture) -> RenderableType:
    table = _table("Streams", "stream", ">messages", ">per second", "status")
    for view in _views(picture):
        table.add_row(str(view.name), f"{view.messages:,}", f"{view.rate():,.1f}", _coloured(view.status))
    return table


def _errors(picture: Picture) -> RenderableType:
    if not picture.errors:
        return Text("no errors", style="dim")
    lines = [
        f"{datetime.fromtimestamp(error.at_ms / 1000, UTC):%H:%M:%S} {error.where}: {error.message}"
        for error in list(picture.errors)[-_SHOWN_ERRORS:]
    ]
    return Panel(Text("\n".join(lines)), title="Errors", border_style="red", title_align="left")


def _views(picture: Picture) -> list[StreamView]:
    return [view for _, view in sorted(picture.streams.items())]


def _table(title: str, *columns: str) -> Table:
    """Return an empty table; columns whose name starts with > are aligned right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    return table


def _coloured(word: str) -> str:
    colour = "green" if word in _GOOD else "red" if word in _BAD else "yellow"
    return f"[{colour}]{word}[/]"


def closing_words(picture: Picture) -> RenderableType:
    """Return the summary that is printed when a run is over."""
    return Group(_orders(picture), _GAP, _latencies(picture), _GAP, _errors(picture))


async def show(picture: Picture, console: Console, headline: str, *, quiet: bool) -> None:
    """Show the picture until cancelled: live on a terminal, else as one line every 5 s; nothing when `quiet`."""
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
