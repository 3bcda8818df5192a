"""`millrace exchanges`: what each exchange supports, from ccxt and the profiles, without a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from millrace_cli.options import AsJson
from millrace_cli.running import plain_errors

if TYPE_CHECKING:
    from millrace_exchange.capabilities import ExchangeCapabilities

_SHORT: Final = {
    "OrderBook": "book",
    "Trades": "trd",
    "Ticker": "tick",
    "BidsAsks": "best",
    "OHLCV": "ohlc",
    "Orders": "ord",
    "MyTrades": "fill",
    "Balance": "bal",
    "Positions": "pos",
}
"""The data points that the list has room for, and their headings."""
_SIGNS: Final = {"watch": Text("●", "green"), "fetch": Text("○", "yellow"), None: Text("")}
_LEGEND: Final = (
    "● streamed, ○ can only be asked for: order book, trades, ticker, best bid and ask,\n"
    "candles, own orders, own trades, balance, positions. Proof: how a lost frame of an\n"
    "order book shows. `millrace exchanges kucoin` shows one in detail."
)


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("exchanges")
    def exchanges_command(
        exchange: Annotated[str | None, typer.Argument(help="Show this one in detail; a ccxt id.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """List the exchanges and what each supports, without asking them.

        Example: millrace exchanges kucoin
        """
        # ccxt takes a second to import, which other commands need not wait for.
        from millrace_exchange.ccxt.capabilities import capabilities_of
        from millrace_exchange.ccxt.loading import exchange_ids

        console = Console()
        with plain_errors(as_json=as_json):
            found = _all([exchange] if exchange is not None else exchange_ids(), capabilities_of)
            if as_json:
                typer.echo(json.dumps([_as_json(each) for each in found]))
            elif exchange is not None:
                console.print(details(next(found)))
            else:
                console.print(listing(found))
                console.print(_LEGEND, style="dim")


def listing(exchanges: Iterable[ExchangeCapabilities]) -> Table:
    """Return a table of exchanges, one row each."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("exchange", no_wrap=True)
    for heading in _SHORT.values():
        table.add_column(heading, justify="center", no_wrap=True)
    table.add_column("proof", no_wrap=True)
    for each in exchanges:
        signs = [_SIGNS[each.data_points[point]] for point in _SHORT]
        table.add_row(each.exchange, *signs, each.book_proof if each.data_points["OrderBook"] else "")
    return table


def details(exchange: ExchangeCapabilities) -> Table:
    """Return everything that is known of an exchange, one fact a row."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _facts(exchange):
        table.add_row(name, value)
    return table


def _facts(exchange: ExchangeCapabilities) -> Iterator[tuple[str, str]]:
    profile = exchange.profile
    yield "exchange", f"{exchange.exchange} ({exchange.name})"
    yield "profile", "yes" if exchange.has_profile else "none: nothing is believed that is not checked"
    for source in ("watch", "fetch"):
        points = [point for point, has in exchange.data_points.items() if has == source]
        yield source, ", ".join(points) or "nothing"
    yield "missing", ", ".join(point for point, has in exchange.data_points.items() if has is None) or "nothing"
    yield "books proved by", exchange.book_proof
    yield "snapshot, stream", f"{_levels(profile.book.snapshot_levels)}, {_levels(profile.book.stream_levels)} levels"
    yield "timeframes", ", ".join(exchange.timeframes) or "none"
    yield "actions", ", ".join(exchange.actions) or "none"
    yield "orders may have", ", ".join(exchange.order_features) or "unknown"
    yield "orders go by", profile.order_transport
    yield "an edit", profile.edit
    yield (
        "our order id",
        f"{profile.client_order_ids.form}; a second order under it: {profile.client_order_ids.uniqueness}",
    )
    yield "an order is absent", f"{profile.settlement_window_ms / 1000:g} s after it was sent, at the earliest"
    for limit in profile.requests.limits:
        yield "limit", f"{limit.name}: {limit.weight} in {limit.window_ms / 1000:g} s for each {limit.scope}"


def _as_json(exchange: ExchangeCapabilities) -> dict[str, Any]:
    return {
        "exchange": exchange.exchange,
        "name": exchange.name,
        "hasProfile": exchange.has_profile,
        "dataPoints": dict(exchange.data_points),
        "bookProof": exchange.book_proof,
        "timeframes": list(exchange.timeframes),
        "actions": list(exchange.actions),
        "orderFeatures": list(exchange.order_features),
    }


def _levels(levels: int | None) -> str:
    return "all" if levels is None else str(levels)


def _all(ids: list[str], read: Callable[[str], ExchangeCapabilities]) -> Iterator[ExchangeCapabilities]:
    for exchange in track(ids, "reading ccxt's exchanges …", console=Console(stderr=True), transient=True):
        yield read(exchange)
