"""The sections of the dashboard; each fits into 80 columns."""

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from millrace_cli.picture import Picture, StreamView, status_of
from millrace_cli.trouble import troubles
from millrace_core.decimals import number_text
from millrace_core.orders import OrderKey, OrderRecord
from millrace_core.states import BookState

SHOWN_TROUBLES = 5
_LONGEST_TEXT = 130
SHOWN_ORDERS = 5
_GOOD = {"live", "running", "done", "closed"}
_BAD = {"failed", "dead", "stopped", "ERROR", "DEAD", "FAILED", "HALTED", "CONFIG"}


def trouble(picture: Picture, at_ms: int) -> RenderableType:
    """Return what is wrong, one line each."""
    found = troubles(picture, at_ms)
    if not found:
        return Text("no errors, nothing halted", style="green")
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8, no_wrap=True)
    grid.add_column()
    for kind, text in found[:SHOWN_TROUBLES]:
        # Two lines of 80 columns hold the reason that most errors end with.
        shown = text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
        grid.add_row(Text(kind, "bold red" if kind in _BAD else "bold yellow"), Text(shown))
    if len(found) > SHOWN_TROUBLES:
        grid.add_row("", Text(f"… and {len(found) - SHOWN_TROUBLES} more", style="red"))
    return grid


def order_line(picture: Picture) -> Text:
    """Return one line that counts own orders and answers."""
    counts, answers = picture.order_counts(), picture.answers
    parts = [f"{number:,} {status}" for status, number in sorted(counts.items())] or ["none yet"]
    parts += [f"{number:,} requests {status}" for status, number in sorted(answers.items())]
    return Text(f"Own orders: {', '.join(parts)}", style="bold", no_wrap=True, overflow="ellipsis")


def orders(picture: Picture, at_ms: int) -> Iterable[RenderableType]:
    """Return the counts, and the newest own orders, open ones first."""
    yield order_line(picture)
    if picture.last_rejection:
        yield Text(f"Last rejection: {picture.last_rejection}", style="yellow", no_wrap=True, overflow="ellipsis")
    if not picture.orders:
        return
    table = _table("tenant", "exchange", "symbol", "side", ">amount", ">price", ">filled", "status", ">age")
    newest = sorted(
        picture.orders.items(), key=lambda item: (not item[1].order.is_final, item[1].updated), reverse=True
    )
    for (tenant, key), record in newest[:SHOWN_ORDERS]:
        table.add_row(tenant, *_order(key, record, at_ms))
    yield table


def _order(key: OrderKey, record: OrderRecord, at_ms: int) -> list[str]:
    order = record.order
    colour = "green" if order.side == "buy" else "red"
    numbers = [
        f"{number.normalize():f}" if number is not None else "" for number in (order.amount, order.price, order.filled)
    ]
    side = f"[{colour}]{order.side or ''}[/]"
    status = _coloured(status_of(record))
    return [key.exchange, key.symbol, side, *numbers, status, _age(at_ms - record.updated)]


def latencies(hops: Mapping[str, Mapping[str, float]], *, counted: bool = False) -> RenderableType:
    """Return the latencies, two hops to a line; with `counted` one, with the number of measurements."""
    if counted:
        table = _table("latency, ms", ">p50", ">p99", ">count")
        for hop, of in hops.items():
            table.add_row(hop, f"{of['p50']:.2f}", f"{of['p99']:.2f}", f"{of['count']:,}")
        return table
    table = _table("latency, last minute", ">p50 ms", ">p99 ms", "", ">p50 ms", ">p99 ms")
    cells = [(hop, f"{of['p50']:.2f}", f"{of['p99']:.2f}") for hop, of in hops.items()]
    for left in range(0, len(cells), 2):
        table.add_row(*(text for cell in cells[left : left + 2] for text in cell))
    return table


def agents(picture: Picture, at_ms: int) -> RenderableType:
    """Return the agents on one line, each with how many of its units are live, or with its state."""
    dead = picture.dead(at_ms)
    words = Text("Agents", style="bold")
    for agent, beat in sorted(picture.heartbeats.items()):
        live = sum(unit.state in ("live", "unverified") for unit in beat.units)
        says = f"{live}/{len(beat.units)}" if beat.state == "running" else beat.state
        state = "[red]dead[/]" if agent in dead else says
        words.append_text(Text.from_markup(f"  {escape(agent)} {state}"))
    words.no_wrap, words.overflow = True, "ellipsis"
    return words


def books(picture: Picture) -> RenderableType:
    """Return the best bid and ask of each book."""
    table = _table("tenant", "book", ">bid amount", ">bid", ">ask", ">ask amount", "")
    for view in _views(picture):
        if isinstance(view.state, BookState):
            bid, ask = view.state.book.bids.best(), view.state.book.asks.best()
            table.add_row(
                view.name.tenant,
                f"{view.name.exchange} {view.name.symbol}",
                *((number_text(bid[1]), f"[green]{number_text(bid[0])}[/]") if bid else ("", "")),
                *((f"[red]{number_text(ask[0])}[/]", number_text(ask[1])) if ask else ("", "")),
                _coloured(view.status) if view.trusted else "[yellow]untrusted[/]",
            )
    return table


def streams(picture: Picture) -> RenderableType:
    """Return every stream with its rate."""
    table = _table("tenant", "exchange", "stream", "symbol", ">messages", ">per s", "status")
    for view in _views(picture):
        name = view.name
        rate = f"{view.rate():,.1f}"
        table.add_row(
            name.tenant,
            name.exchange,
            name.action,
            name.symbol or "",
            f"{view.messages:,}",
            rate,
            _coloured(view.status),
        )
    return table


def _age(ms: int) -> str:
    seconds = max(0, ms // 1000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _views(picture: Picture) -> list[StreamView]:
    return [view for _, view in sorted(picture.streams.items())]


def _table(*columns: str) -> Table:
    """Return an empty table; columns whose name starts with > are aligned right."""
    table = Table(header_style="dim", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    return table


def _coloured(word: str) -> str:
    colour = "green" if word in _GOOD else "red" if word in _BAD else "yellow"
    return f"[{colour}]{word}[/]"
