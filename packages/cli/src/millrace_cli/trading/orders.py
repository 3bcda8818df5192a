"""`millrace orders`: a tenant's open and newest orders."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millrace_cli.options import AsJson, RedisUrl, TenantOption
from millrace_cli.running import connected, run_short
from millrace_cli.trading.listing import OrderFilter, orders
from millrace_core.clock import now_ms
from millrace_core.messages import encode
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import OrderRecord
from millrace_service.settings import DEFAULT_REDIS_URL


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("orders")
    def orders_command(
        tenant: TenantOption,
        exchange: Annotated[str | None, typer.Option(help="Only orders on this exchange, such as binance.")] = None,
        symbol: Annotated[str | None, typer.Option(help="Only orders of this symbol, such as KCS/USDT.")] = None,
        source: Annotated[str | None, typer.Option(help="Only orders of this strategy or person.")] = None,
        only_open: Annotated[bool, typer.Option("--open", help="Only open orders.")] = False,
        limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 20,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """List a tenant's orders: open ones first, then the newest.

        Example: millrace orders --tenant StrankaXY --open
        """
        wanted = OrderFilter(
            None if exchange is None else ExchangeId(exchange),
            None if symbol is None else Symbol(symbol),
            source,
            only_open,
        )
        found = run_short(_read(redis_url, tenant, wanted, limit), as_json=as_json)
        if as_json:
            typer.echo(encode(found).decode())
        elif found:
            Console().print(order_table(found, now_ms()))
        else:
            typer.echo(f"no {'open ' if only_open else ''}orders of {tenant} match")


async def _read(redis_url: str, tenant: Tenant, wanted: OrderFilter, limit: int) -> list[OrderRecord]:
    async with connected(redis_url, "orders") as bus:
        return await orders(bus, tenant, wanted, limit)


def order_table(records: Iterable[OrderRecord], at_ms: int) -> Table:
    """Return a table of orders, one row each."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("exchange", "symbol", "side", "amount", "price", "filled", "status", "source", "age", "id"):
        number = heading in ("amount", "price", "filled", "age")
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for record in records:
        order = record.order
        numbers = (_digits(order.amount), _digits(order.price or order.average), _digits(order.filled))
        ends = (order.status or "", record.order_source or "", _age(at_ms - (order.timestamp or record.updated)))
        table.add_row(record.exchange, order.symbol or "", order.side or "", *numbers, *ends, order.id)
    return table


def _digits(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"


def _age(ms: int) -> str:
    seconds = max(0, ms // 1_000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
