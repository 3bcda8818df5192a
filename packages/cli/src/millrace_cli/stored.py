"""Commands that use the database: `millrace export`, `millrace rebuild-positions` and `millrace tokens …`."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millrace_cli.options import (
    DEFAULT_DIR,
    AsJson,
    DatabaseDir,
    DatabaseUrl,
    Since,
    TenantFilter,
    TenantOption,
    Until,
    url_of,
)
from millrace_cli.running import plain_errors, run, run_short
from millrace_core import names

if TYPE_CHECKING:
    from millrace_store.queries.records import TokenRecord


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    # The database code takes a second to import, so each command imports it when it is called.
    tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke API tokens.")
    app.add_typer(tokens, name="tokens")
    _add_export(app)
    _add_rebuild(app)
    _add_tokens(tokens)


def _add_export(app: typer.Typer) -> None:
    @app.command("export")
    def export_command(
        kind: Annotated[
            str,
            typer.Argument(help="History: trades, bookDeltas, orders, balances, … (an unknown kind lists all)."),
        ],
        tenant: TenantOption,
        out: Annotated[
            Path | None, typer.Option("--out", "-o", help="File to write; by default {tenant}-{kind}.{format}.")
        ] = None,
        form: Annotated[str, typer.Option("--format", help="File format: parquet or csv.")] = "parquet",
        exchange: Annotated[str | None, typer.Option(help="Only rows of this exchange, such as binance.")] = None,
        symbol: Annotated[str | None, typer.Option(help="Only rows of this symbol, such as ETH/BTC.")] = None,
        source: Annotated[str | None, typer.Option(help="Only orders with this orderSource.")] = None,
        since: Since = None,
        until: Until = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Export stored history to a Parquet or CSV file.

        Example: millrace export trades --tenant StrankaXY --since 2026-01-31
        """
        from millrace_cli import exporting
        from millrace_store import Scope

        scope = Scope(
            tenant,
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
            if as_json:
                typer.echo(json.dumps({"rows": rows, "file": str(options.file)}))
            else:
                console.print(f"{rows:,} rows in {options.file}")

        run(work, as_json=as_json)


def _add_rebuild(app: typer.Typer) -> None:
    @app.command("rebuild-positions")
    def rebuild_command(
        tenant: TenantOption,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Count all own trades of a tenant again into positions and profit; services may run meanwhile.

        Example: millrace rebuild-positions --tenant StrankaXY
        """
        from millrace_cli.database import existing
        from millrace_store import Store

        async def work() -> int:
            async with Store.open(existing(url_of(database_url, data_dir))) as store:
                return await store.rebuild_positions(tenant)

        trades = run_short(work(), as_json=as_json)
        typer.echo(json.dumps({"trades": trades}) if as_json else f"{trades:,} trades counted")


def _add_tokens(app: typer.Typer) -> None:
    @app.command("create")
    def create_command(
        tenant: TenantOption,
        name: Annotated[str, typer.Option(help="Name of the token; the source of orders that name none.")],
        role: Annotated[str, typer.Option(help="What the token may do: read, trade or admin.")] = "read",
        days: Annotated[
            float | None, typer.Option(min=0.0, help="Days until the token expires; by default it does not expire.")
        ] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Create a token and print it; it is shown only once.

        Example: millrace tokens create --tenant StrankaXY --name James --role trade
        """
        from millrace_cli import tokens
        from millrace_cli.database import unless_below

        with plain_errors(as_json=as_json):
            url = unless_below(url_of(database_url, data_dir))
        token = run_short(tokens.create(url, tenant, name, role, days), as_json=as_json)
        typer.echo(json.dumps({"token": token}) if as_json else token)

    @app.command("list")
    def list_command(
        tenant: TenantFilter = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """List tokens, without their secrets.

        Example: millrace tokens list --tenant StrankaXY
        """
        from millrace_cli import tokens

        found = run_short(tokens.listed(url_of(database_url, data_dir), tenant), as_json=as_json)
        if as_json:
            typer.echo(json.dumps([_as_json(token) for token in found]))
        else:
            Console().print(_table(found))

    @app.command("revoke")
    def revoke_command(
        token_id: Annotated[str, typer.Argument(help="Id of the token: the part between mr_ and the next underscore.")],
        tenant: TenantOption,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Revoke a token.

        Example: millrace tokens revoke 5f2c9a1b7e04 --tenant StrankaXY
        """
        from millrace_cli import tokens

        run_short(tokens.revoke(url_of(database_url, data_dir), tenant, token_id), as_json=as_json)
        typer.echo(
            json.dumps({"revoked": token_id}) if as_json else f"{token_id} is revoked; APIs refuse it within 5 s"
        )


def _moment(text: str | None) -> int | None:
    from millrace_api.times import parse_timestamp

    try:
        return None if text is None else parse_timestamp(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}") from error


def _table(tokens: "list[TokenRecord]") -> Table:
    table = Table("tenant", "id", "name", "role", "state")
    for token in tokens:
        table.add_row(token.tenant, token.id, token.name, token.role, _state(token))
    return table


def _as_json(token: "TokenRecord") -> dict[str, Any]:
    named = {"tenant": token.tenant, "id": token.id, "name": token.name, "role": token.role, "state": _state(token)}
    return named | {"createdMs": token.created_ms, "expiresMs": token.expires_ms, "lastUsedMs": token.last_used_ms}


def _state(token: "TokenRecord") -> str:
    return "revoked" if token.revoked_ms is not None else "in force"
