"""`millrace sign-in`: a link that signs a browser in to the console, once."""

import json
import os
from typing import Annotated

import typer

from millrace_cli.options import DEFAULT_DIR, AsJson, DatabaseDir, DatabaseUrl, url_of
from millrace_cli.running import plain_errors, run_short
from millrace_core import names
from millrace_core.clock import DAY_MS, MINUTE_MS
from millrace_core.names import Tenant

USABLE_MS = 10 * MINUTE_MS
HOST, PORT = "http://localhost", "8081"
CONSOLE = f"{HOST}:{PORT}"


async def link(
    url: str, tenants: list[Tenant], role: str, days: float, console: str, usable_ms: int = USABLE_MS
) -> str:
    """Return the address that signs a browser in to these tenants, once.

    Raises:
        TokenError: the role is unknown.
    """
    # The database code takes a second to import.
    from millrace_api.access import sign_in_codes
    from millrace_cli.tokens import role_of
    from millrace_store import Store

    async with Store.open(url) as store:
        code = await sign_in_codes.create(store, tenants, role_of(role), usable_ms, int(days * DAY_MS))
    return f"{console}/enter?code={code}"


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("sign-in")
    def sign_in_command(
        tenant: Annotated[
            list[str], typer.Option(help="Tenant to sign in to; repeat it for several. PUBLIC is the operator's.")
        ],
        role: Annotated[str, typer.Option(help="What one may do: read, trade or admin.")] = "admin",
        days: Annotated[float, typer.Option(min=0.0, help="Days until one has to sign in again.")] = 30.0,
        console: Annotated[
            str | None,
            typer.Option(help=f"Address of the console; by default {CONSOLE}, with the port of MILLRACE_CONSOLE_PORT."),
        ] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Print a link that signs a browser in to the console; it works once, within 10 minutes.

        Example: millrace sign-in --tenant StrankaXY --tenant PUBLIC
        """
        from millrace_cli.database import existing

        with plain_errors(as_json=as_json):
            tenants = [names.tenant(each) for each in dict.fromkeys(tenant)]
            # A code in a database that nobody serves opens nothing.
            url = existing(url_of(database_url, data_dir))
        work = link(url, tenants, role, days, (console or _on_this_machine()).rstrip("/"))
        address = run_short(work, as_json=as_json)
        typer.echo(json.dumps({"link": address}) if as_json else address)


def _on_this_machine() -> str:
    return f"{HOST}:{os.environ.get('MILLRACE_CONSOLE_PORT') or PORT}"
