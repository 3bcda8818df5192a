"""Commands that use the database: `millrace export`, `millrace rebuild-positions` and `millrace tokens …`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from millrace_core import names

if TYPE_CHECKING:
    from millrace_store.queries.records import TokenRecord

RunAsync = Callable[[Callable[[asyncio.Event], Awaitable[None]]], None]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="MILLRACE_DATABASE_URL",
        help="Database: sqlite:///path or postgresql://…; by default millrace.db in --data-dir.",
    ),
]
DatabaseDir = Annotated[
    Path, typer.Option("--data-dir", envvar="MILLRACE_DATA_DIR", help="Folder that contains millrace.db.")
]
DEFAULT_DIR = Path(".millrace")


def url_of(database_url: str | None, data_dir: Path) -> str:
    """Return the database's URL."""
    return database_url or f"sqlite:///{data_dir.absolute() / 'millrace.db'}"


def add_commands(app: typer.Typer, run: RunAsync) -> None:
    """Add the commands to `app`; `run` runs each to its end."""
    # The database code takes a second to import, so each command imports it when it is called.
    tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke API tokens.")
    app.add_typer(tokens, name="tokens")
    _add_export(app, run)
    _add_rebuild(app, run)
    _add_tokens(tokens, run)


def _add_export(app: typer.Typer, run: RunAsync) -> None:
    @app.command("export")
    def export_command(
        kind: Annotated[
            str,
            typer.Argument(help="History: trades, bookDeltas, orders, balances, … (an unknown kind lists all)."),
        ],
        tenant: Annotated[str, typer.Option(help="Tenant whose data to export.")],
        out: Annotated[
            Path | None, typer.Option("--out", "-o", help="File to write; by default {tenant}-{kind}.{format}.")
        ] = None,
        form: Annotated[str, typer.Option("--format", help="File format: parquet or csv.")] = "parquet",
        exchange: Annotated[str | None, typer.Option(help="Only rows of this exchange, such as binance.")] = None,
        symbol: Annotated[str | None, typer.Option(help="Only rows of this symbol, such as ETH/BTC.")] = None,
        source: Annotated[str | None, typer.Option(help="Only orders with this orderSource.")] = None,
        since: Annotated[str | None, typer.Option(help="Start, inclusive: ISO-8601 or ms since 1970.")] = None,
        until: Annotated[str | None, typer.Option(help="End, exclusive: ISO-8601 or ms since 1970.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Export stored history to a Parquet or CSV file."""
        from millrace_cli import exporting
        from millrace_store import Scope

        scope = Scope(
            names.tenant(tenant),
            exchange=None if exchange is None else names.ExchangeId(exchange),
            symbol=None if symbol is None else names.Symbol(symbol),
            since_ms=_moment(since),
            until_ms=_moment(until),
            source=source,
        )
        options = exporting.ExportOptions(kind, scope, form, out or Path(f"{tenant}-{kind}.{form}"))
        console = Console(stderr=True)

        async def work(stop: asyncio.Event) -> None:
            rows = await exporting.run(url_of(database_url, data_dir), options, console, stop)
            console.print(f"{rows:,} rows in {options.file}")

        run(work)


def _add_rebuild(app: typer.Typer, run: RunAsync) -> None:
    @app.command("rebuild-positions")
    def rebuild_command(
        tenant: Annotated[str, typer.Option(help="Tenant whose own trades to count again.")],
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Count all own trades of a tenant again into positions and profit; services may run meanwhile."""
        from millrace_cli.database import existing
        from millrace_store import Store

        async def work(_stop: asyncio.Event) -> None:
            async with Store.open(existing(url_of(database_url, data_dir))) as store:
                trades = await store.rebuild_positions(names.tenant(tenant))
            typer.echo(f"{trades:,} trades counted")

        run(work)


def _add_tokens(app: typer.Typer, run: RunAsync) -> None:
    @app.command("create")
    def create_command(
        tenant: Annotated[str, typer.Option(help="Tenant the token is for.")],
        name: Annotated[str, typer.Option(help="Name of the token; the source of orders that name none.")],
        role: Annotated[str, typer.Option(help="What the token may do: read, trade or admin.")] = "read",
        days: Annotated[
            float | None, typer.Option(min=0.0, help="Days until the token expires; by default it does not expire.")
        ] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Create a token and print it; it is shown only once."""
        from millrace_cli import tokens

        async def work(_stop: asyncio.Event) -> None:
            url = url_of(database_url, data_dir)
            typer.echo(await tokens.create(url, names.tenant(tenant), name, role, days))

        run(work)

    @app.command("list")
    def list_command(
        tenant: Annotated[str | None, typer.Option(help="Only tokens of this tenant.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """List tokens, without their secrets."""
        from millrace_cli import tokens

        async def work(_stop: asyncio.Event) -> None:
            of = None if tenant is None else names.tenant(tenant)
            Console().print(_table(await tokens.listed(url_of(database_url, data_dir), of)))

        run(work)

    @app.command("revoke")
    def revoke_command(
        token_id: Annotated[str, typer.Argument(help="Id of the token: the part between mr_ and the next underscore.")],
        tenant: Annotated[str, typer.Option(help="Tenant the token belongs to.")],
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Revoke a token."""
        from millrace_cli import tokens

        run(lambda _stop: tokens.revoke(url_of(database_url, data_dir), names.tenant(tenant), token_id))


def _moment(text: str | None) -> int | None:
    from millrace_api.times import parse_timestamp

    try:
        return None if text is None else parse_timestamp(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}") from error


def _table(tokens: "list[TokenRecord]") -> Table:
    table = Table("tenant", "id", "name", "role", "state")
    for token in tokens:
        state = "revoked" if token.revoked_ms is not None else "in force"
        table.add_row(token.tenant, token.id, token.name, token.role, state)
    return table
