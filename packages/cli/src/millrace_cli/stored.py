"""The verbs about what is stored: `millrace export` and `millrace tokens …`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from millrace_cli.databases import DEFAULT_DIR, DatabaseDir, DatabaseUrl, url_of
from millrace_core import names

if TYPE_CHECKING:
    from millrace_store.records import TokenRecord

Run = Callable[[Callable[[asyncio.Event], Awaitable[None]]], None]
TenantOption = Annotated[str, typer.Option(help="Whose.")]


def add_verbs(app: typer.Typer, run: Run) -> None:
    """Add them; `run` runs each to its end."""
    # What reads a database takes a second to import, so each verb imports it when it is called.
    tokens = typer.Typer(no_args_is_help=True, help="The API's tokens: create, list, revoke.")
    app.add_typer(tokens, name="tokens")
    _add_export(app, run)
    _add_tokens(tokens, run)


def _add_export(app: typer.Typer, run: Run) -> None:
    @app.command("export")
    def export_command(
        kind: Annotated[str, typer.Argument(help="trades, bookDeltas, orders, balances, … (a wrong one names all).")],
        tenant: TenantOption,
        out: Annotated[
            Path | None, typer.Option("--out", "-o", help="The file; named after the history when not given.")
        ] = None,
        form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
        exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
        symbol: Annotated[str | None, typer.Option(help="Only of this symbol.")] = None,
        source: Annotated[str | None, typer.Option(help="Only of this orderSource.")] = None,
        since: Annotated[str | None, typer.Option(help="From then on: ISO-8601 or ms.")] = None,
        until: Annotated[str | None, typer.Option(help="Until then, exclusive.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Export a history into a file, in constant memory."""
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


def _add_tokens(app: typer.Typer, run: Run) -> None:
    @app.command("create")
    def create_command(
        tenant: TenantOption,
        name: Annotated[str, typer.Option(help="What people call it; orders that name no source carry it.")],
        role: Annotated[str, typer.Option(help="read, trade or admin.")] = "read",
        days: Annotated[float | None, typer.Option(min=0.0, help="How long it holds; for ever when not given.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Make a token and print it; it is shown this once."""
        from millrace_cli import tokens

        async def work(_stop: asyncio.Event) -> None:
            url = url_of(database_url, data_dir)
            typer.echo(await tokens.create(url, names.tenant(tenant), name, role, days))

        run(work)

    @app.command("list")
    def list_command(
        tenant: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
    ) -> None:
        """Show tokens, without their secrets."""
        from millrace_cli import tokens

        async def work(_stop: asyncio.Event) -> None:
            of = None if tenant is None else names.tenant(tenant)
            Console().print(_table(await tokens.listed(url_of(database_url, data_dir), of)))

        run(work)

    @app.command("revoke")
    def revoke_command(
        token_id: Annotated[str, typer.Argument(help="The token's id: the part after mr_.")],
        tenant: TenantOption,
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
