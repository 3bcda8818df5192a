"""`millrace halt` and `millrace resume`: what is halted is said first, and asked for unless `--yes` is given."""

import getpass
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import typer

from millrace_bus import Bus, HaltNote, HaltScope
from millrace_cli.known_tenants import known_tenants
from millrace_cli.options import AsJson, RedisUrl, TenantFilter, Yes
from millrace_cli.running import CommandFailed, confirm, connected, plain_errors, run_short
from millrace_cli.trading.listing import OrderFilter, orders
from millrace_core.clock import now_ms
from millrace_core.messages import encode
from millrace_core.names import PUBLIC, ExchangeId, Tenant, is_exchange, trader_actions
from millrace_core.near_names import did_you_mean
from millrace_core.requests import Halt, HaltingPayload
from millrace_service.settings import DEFAULT_REDIS_URL

_MOST_COUNTED = 1_000

All = Annotated[bool, typer.Option("--all", help="Every tenant, instead of --tenant.")]
Exchange = Annotated[str | None, typer.Option(help="Only trading on this exchange, such as binance.")]
Source = Annotated[str | None, typer.Option(help="Only orders of this strategy or person.")]


class Affected(NamedTuple):
    """One tenant that a command concerns."""

    tenant: Tenant
    open_orders: int
    """Open orders of the scope."""
    halts: dict[HaltScope, HaltNote]
    """In force."""


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    _add_halt(app)
    _add_resume(app)


def _add_halt(app: typer.Typer) -> None:
    @app.command("halt")
    def halt_command(
        tenant: TenantFilter = None,
        every: All = False,
        exchange: Exchange = None,
        source: Source = None,
        reason: Annotated[str | None, typer.Option(help="Why; shown to everybody who reads the halt.")] = None,
        cancel: Annotated[
            bool, typer.Option("--cancel", help="Cancel all open orders too; not with --source.")
        ] = False,
        yes: Yes = False,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """Refuse new orders and edits from now on, until `millrace resume`; cancels are never refused.

        Example: millrace halt --tenant StrankaXY --exchange binance --reason 'checking fills'
        """
        scope = _scope(exchange, source)
        with plain_errors(as_json=as_json):
            _check_cancel(scope, cancel=cancel)
        affected = run_short(_affected(redis_url, tenant, scope, every=every), as_json=as_json)
        confirm([_halting(each, scope, cancel=cancel) for each in affected], "Halt?", yes=yes, as_json=as_json)
        note = HaltNote(since=now_ms(), reason=reason, by=_author())
        halting = halt(redis_url, [each.tenant for each in affected], scope, note, cancel=cancel)
        run_short(halting, as_json=as_json)
        _report([each.tenant for each in affected], scope, "halted", as_json=as_json)


def _add_resume(app: typer.Typer) -> None:
    @app.command("resume")
    def resume_command(
        tenant: TenantFilter = None,
        every: All = False,
        exchange: Exchange = None,
        source: Source = None,
        yes: Yes = False,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """Lift the halt of exactly this scope; other halts stay in force, and are listed.

        Example: millrace resume --tenant StrankaXY --exchange binance
        """
        scope = _scope(exchange, source)
        affected = run_short(_affected(redis_url, tenant, scope, every=every), as_json=as_json)
        with plain_errors(as_json=as_json):
            halted = _halted(affected, scope)
        confirm([_resuming(each, scope) for each in halted], "Resume?", yes=yes, as_json=as_json)
        run_short(resume(redis_url, [each.tenant for each in halted], scope), as_json=as_json)
        _report([each.tenant for each in halted], scope, "resumed", as_json=as_json)


async def halt(
    redis_url: str, tenants: Iterable[Tenant], scope: HaltScope, note: HaltNote, *, cancel: bool = False
) -> None:
    """Halt, whether or not an executor runs: each reads the note within a second, and acts on the request at once.

    Open orders are canceled by an executor that runs.

    Raises:
        CommandRefused: Redis does not write it.
    """
    async with connected(redis_url, "halt") as bus:
        for tenant in tenants:
            await bus.halts.set(tenant, scope, note)
            payload = HaltingPayload(
                order_source=scope.order_source, reason=note.reason, by=note.by, cancel_orders=cancel
            )
            request = Halt(exchange_id=scope.exchange, payload=payload)
            # In no journal: an executor that starts later must not halt again what was resumed meanwhile.
            await bus.publish(trader_actions(tenant), encode(request).decode())


async def resume(redis_url: str, tenants: Iterable[Tenant], scope: HaltScope) -> None:
    """Lift the halts of exactly this scope.

    Raises:
        CommandFailed: one is no longer there.
        CommandRefused: Redis does not write.
    """
    async with connected(redis_url, "resume") as bus:
        for tenant in tenants:
            if not await bus.halts.clear(tenant, scope):
                raise CommandFailed(f"{_subject(tenant, scope)} is not halted any more")


async def _affected(redis_url: str, tenant: Tenant | None, scope: HaltScope, *, every: bool) -> list[Affected]:
    if (tenant is not None) == every:
        raise CommandFailed("name a tenant with --tenant, or all of them with --all")
    async with connected(redis_url, "halt") as bus:
        known = [each for each in await known_tenants(bus) if each != PUBLIC]
        if tenant is not None and tenant not in known:
            near = did_you_mean(tenant, known)
            typer.echo(f"millrace: no configuration and no stream names the tenant {tenant}{near}", err=True)
        return [await _of(bus, each, scope) for each in ([tenant] if tenant is not None else known)]


async def _of(bus: Bus, tenant: Tenant, scope: HaltScope) -> Affected:
    wanted = OrderFilter(exchange=scope.exchange, source=scope.order_source, only_open=True)
    found = await orders(bus, tenant, wanted, _MOST_COUNTED)
    return Affected(tenant, len(found), await bus.halts.get(tenant))


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a user id that has no name.
        return "terminal"


def _halted(affected: Sequence[Affected], scope: HaltScope) -> list[Affected]:
    if halted := [each for each in affected if scope in each.halts]:
        return halted
    there = [_subject(each.tenant, found) for each in affected for found in each.halts]
    names = ", ".join(each.tenant for each in affected)
    raise CommandFailed(f"nothing of exactly this scope is halted for {names}; halted: {'; '.join(there) or 'nothing'}")


def _report(tenants: Sequence[Tenant], scope: HaltScope, done: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({done: [{"tenant": tenant, "scope": str(scope)} for tenant in tenants]}))
    else:
        typer.echo("\n".join(f"{_subject(tenant, scope)}: {done}" for tenant in tenants))


def _check_cancel(scope: HaltScope, *, cancel: bool) -> None:
    if cancel and scope.order_source is not None:
        raise CommandFailed("--cancel cancels all open orders of an account: leave --source out")


def _halting(each: Affected, scope: HaltScope, *, cancel: bool) -> str:
    already = " It is halted already; reason and author are replaced." if scope in each.halts else ""
    fate = "will be canceled" if cancel else "stay open"
    return (
        f"{_subject(each.tenant, scope)}: new orders and edits will be refused, cancels will not. "
        f"{each.open_orders} open orders {fate}.{already}"
    )


def _resuming(each: Affected, scope: HaltScope) -> str:
    others = [_subject(each.tenant, other) for other in each.halts if other != scope]
    stay = f" Still halted then: {'; '.join(others)}." if others else ""
    return f"{_subject(each.tenant, scope)}: new orders and edits will be accepted again.{stay}"


def _subject(tenant: Tenant, scope: HaltScope) -> str:
    source = f" for {scope.order_source}" if scope.order_source else ""
    return f"Trading of {tenant} on {scope.exchange or 'every exchange'}{source}"


def _scope(exchange: str | None, source: str | None) -> HaltScope:
    if exchange is not None and not is_exchange(exchange):
        raise typer.BadParameter("must be the ccxt id of an exchange, such as binance", param_hint="--exchange")
    if source is not None and (not source or {"/", "*"} & set(source)):
        raise typer.BadParameter("must be a name without / and *", param_hint="--source")
    return HaltScope(None if exchange is None else ExchangeId(exchange), source)
