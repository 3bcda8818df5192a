"""`millrace intents`: the requests that the executor has begun and not finally answered, and why."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millrace_bus import Bus
from millrace_cli.known_tenants import known_tenants
from millrace_cli.options import AsJson, RedisUrl, TenantFilter
from millrace_cli.running import connected, run_short
from millrace_core.clock import now_ms
from millrace_core.ids import RequestId
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import encode
from millrace_core.names import ExchangeId, Tenant
from millrace_service.settings import DEFAULT_REDIS_URL

_EVERY_EXCHANGE: Final = ExchangeId("all")
"""Where the executor keeps the intents of halts."""
_WHAT: Final = {
    "pending": "claimed: on its way, or left by an executor that ended",
    "unknown": "sent, and the exchange has not said yet what became of it",
    "settled": "finally answered",
    "unreadable": "another version wrote it: check its order on the exchange by hand",
}


class OpenIntent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One entry of a tenant's ledgers."""

    tenant: Tenant
    exchange: ExchangeId
    request_id: RequestId
    state: str
    """`pending`, `unknown`, `settled` or `unreadable`."""
    explanation: str
    begun_at: int | None = None
    """ms"""
    client_order_id: str | None = None
    """Under which to look for the order on the exchange."""
    action: str | None = None
    symbol: str | None = None
    order_source: str | None = None
    status: str | None = None
    """The final answer's, once settled."""


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("intents")
    def intents_command(
        tenant: TenantFilter = None,
        every: Annotated[bool, typer.Option("--settled", help="Those that are finally answered too.")] = False,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """List the requests that are claimed or unknown: begun, and not finally answered.

        Example: millrace intents --tenant StrankaXY
        """
        found = run_short(_read(redis_url, tenant, every=every), as_json=as_json)
        if as_json:
            typer.echo(encode(found).decode())
        elif found:
            Console().print(_table(found, now_ms()))
        else:
            typer.echo("every request that was begun is finally answered")


async def _read(redis_url: str, tenant: Tenant | None, *, every: bool) -> list[OpenIntent]:
    async with connected(redis_url, "intents") as bus:
        tenants = await known_tenants(bus) if tenant is None else [tenant]
        found = [intent for each in tenants for intent in await _of(bus, each)]
    wanted = (each for each in found if every or each.state != "settled")
    return sorted(wanted, key=lambda each: (each.tenant, each.begun_at or 0))


async def _of(bus: Bus, tenant: Tenant) -> list[OpenIntent]:
    return [
        _intent(tenant, exchange, request_id, text)
        for exchange in await _exchanges(bus, tenant)
        for request_id, text in (await bus.intents.all(tenant, exchange)).items()
    ]


async def _exchanges(bus: Bus, tenant: Tenant) -> list[ExchangeId]:
    """Return where a tenant may have ledgers: where requests were answered, and where it has accounts."""
    found = {name.exchange for name in await bus.stream_names([tenant])} | {_EVERY_EXCHANGE}
    for text in (await bus.all_configs()).values():
        try:
            found |= set(msgspec.json.decode(text, type=_Accounts).exchanges.get(tenant, ()))
        except UNREADABLE:
            continue
    return sorted(found)


def _intent(tenant: Tenant, exchange: ExchangeId, request_id: RequestId, text: bytes) -> OpenIntent:
    try:
        entry = msgspec.json.decode(text, type=_Entry)
    except UNREADABLE:
        return OpenIntent(tenant, exchange, request_id, "unreadable", _WHAT["unreadable"])
    request: dict[str, Any] = entry.request or {}
    payload = request.get("payload") or {}
    explanation = _WHAT.get(entry.state, "")
    return OpenIntent(
        tenant,
        exchange,
        request_id,
        entry.state,
        explanation,
        entry.begun_at,
        entry.client_order_id,
        request.get("action"),
        payload.get("symbol"),
        payload.get("orderSource"),
        entry.status,
    )


class _Accounts(msgspec.Struct):
    """The accounts of any agent's configuration."""

    exchanges: dict[str, dict[ExchangeId, Any]] = {}


class _Entry(msgspec.Struct, rename="camel"):
    """What the executor writes of an intent, as far as it is shown."""

    state: str
    begun_at: int
    client_order_id: str | None = None
    request: dict[str, Any] | None = None
    status: str | None = None


def _table(intents: Iterable[OpenIntent], at_ms: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("tenant", "exchange", "action", "symbol", "source", "age", "state", "client order id"):
        table.add_column(heading, justify="right" if heading == "age" else "left", overflow="fold")
    for each in intents:
        what = (each.action or "", each.symbol or "", each.order_source or "")
        age = "" if each.begun_at is None else f"{max(0, at_ms - each.begun_at) // 1000} s"
        table.add_row(each.tenant, each.exchange, *what, age, each.state, each.client_order_id or each.request_id)
    return table
