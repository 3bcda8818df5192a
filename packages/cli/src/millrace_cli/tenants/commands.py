"""The commands `millrace tenant …`."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from millrace_cli.options import DEFAULT_DIR, AsJson, DatabaseDir, DatabaseUrl, RedisUrl, TenantArgument, Yes, url_of
from millrace_cli.running import CommandFailed, confirm, plain_errors, run_short
from millrace_cli.up import AGENTS
from millrace_core.names import PUBLIC, AgentId, Tenant
from millrace_service.settings import DEFAULT_REDIS_URL, read_secret_key


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    # The API's code takes a second to import, so each command imports it when it is called.
    tenant = typer.Typer(no_args_is_help=True, help="Add a tenant to the running agents, or stop one.")
    app.add_typer(tenant, name="tenant")
    _add_add(tenant)
    _add_stop(tenant)


def _add_add(app: typer.Typer) -> None:
    @app.command("add")
    def add_command(
        tenant: TenantArgument,
        exchange: Annotated[str, typer.Option(help="Exchange to trade on; a ccxt id.")],
        symbol: Annotated[list[str], typer.Option(help="Symbol, such as KCS/USDT; may be given several times.")],
        keys: Annotated[
            Path | None,
            typer.Option(
                allow_dash=True,
                help='JSON file with "apiKey", "secret", "password"; - for standard input. Without: public data only.',
            ),
        ] = None,
        base_url: Annotated[str | None, typer.Option(help="Address of a simulated exchange.")] = None,
        sandbox: Annotated[bool, typer.Option("--sandbox", help="Use the exchange's sandbox.")] = False,
        role: Annotated[str, typer.Option(help="What its token may do: read, trade or admin.")] = "trade",
        gatherer: Annotated[str, typer.Option(help="Agent id of the gatherer.")] = AGENTS["gatherer"],
        executor: Annotated[str, typer.Option(help="Agent id of the executor.")] = AGENTS["executor"],
        dbsync: Annotated[str, typer.Option(help="Agent id of dbsync.")] = AGENTS["dbsync"],
        yes: Yes = False,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Add a tenant: account and workplans in the agents' configurations, small risk limits, and a token.

        What will be written is printed first. Keys are never given as arguments, and are stored encrypted.

        Example: millrace tenant add StrankaZ --exchange kucoin --symbol KCS/USDT --keys keys.json
        """
        from millrace_cli.config.editing import Stores
        from millrace_cli.tenants import addition
        from millrace_core.config.tenants import NewTenant

        stores = Stores(redis_url, url_of(database_url, data_dir))
        address: dict[str, Any] = {"urls": {"base": base_url}} if base_url else {}
        address |= {"test": True} if sandbox else {}
        with plain_errors(as_json=as_json):
            if str(keys) == "-" and not yes:
                raise CommandFailed("standard input holds the keys, so nobody can be asked: add --yes")
            account = addition.account_of(tenant, keys, read_secret_key(os.environ), address)
        new = NewTenant(tenant, exchange, tuple(symbol), account)
        agents = {"gatherer": gatherer, "dbsync": dbsync} | ({"executor": executor} if new.trades else {})
        edits = run_short(
            addition.plan(stores, new, {kind: AgentId(agent) for kind, agent in agents.items()}), as_json=as_json
        )
        lines = [line for edit in edits for line in edit.lines()]
        confirm([*lines, f"a token with the role {role} is made"], "Add it?", yes=yes, as_json=as_json)
        token = run_short(addition.apply(stores, new, edits, f"{tenant} {role}", role), as_json=as_json)
        _report(as_json, {"tenant": tenant, "agents": [edit.agent for edit in edits], "token": token}, token)


def _add_stop(app: typer.Typer) -> None:
    @app.command("stop")
    def stop_command(
        tenant: TenantArgument,
        yes: Yes = False,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Stop a tenant: remove its accounts, limits and workplans from all configurations, and revoke its tokens.

        What will happen is printed first. Open orders stay open, and its history stays in the database.

        Example: millrace tenant stop StrankaZ
        """
        from millrace_cli.config.editing import Stores
        from millrace_cli.tenants import stopping

        _refuse_public(tenant, as_json=as_json)
        stores = Stores(redis_url, url_of(database_url, data_dir))
        stop = run_short(stopping.plan(stores, tenant), as_json=as_json)
        confirm(stop.lines(), f"Stop {tenant}?", yes=yes, as_json=as_json)
        run_short(stopping.apply(stores, stop), as_json=as_json)
        done = {"tenant": tenant, "agents": [edit.agent for edit in stop.edits], "openOrders": stop.open_orders}
        _report(as_json, done | {"revoked": [token.id for token in stop.tokens]}, f"{tenant} is stopped")


def _refuse_public(tenant: Tenant, *, as_json: bool) -> None:
    with plain_errors(as_json=as_json):
        if tenant == PUBLIC:
            raise CommandFailed("PUBLIC owns the feeds that all tenants share: change its workplans with config put")


def _report(as_json: bool, value: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(value) if as_json else text)
