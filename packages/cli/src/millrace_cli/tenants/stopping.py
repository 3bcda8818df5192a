"""Stops a tenant: removes it from every configuration, and revokes its tokens."""

from typing import NamedTuple

from millrace_cli import tokens
from millrace_cli.config.editing import Stores, services
from millrace_cli.database import existing
from millrace_cli.running import CommandFailed
from millrace_cli.tenants.changes import ConfigEdit, check, configuration, kind_of, write
from millrace_cli.trading.listing import OrderFilter, orders
from millrace_core.config import tenants_of
from millrace_core.config.tenants import removed
from millrace_core.names import Tenant
from millrace_store.queries.records import TokenRecord

_MOST_COUNTED = 1_000


class Stop(NamedTuple):
    """What stopping a tenant does."""

    tenant: Tenant
    edits: list[ConfigEdit]
    tokens: list[TokenRecord]
    """Those in force, which will be revoked."""
    open_orders: int
    """They stay open on the exchange."""

    def lines(self) -> list[str]:
        """Return what happens, for a person to agree to."""
        lines = [line for edit in self.edits for line in edit.lines()]
        lines += [f"token {token.name} ({token.id}) is revoked" for token in self.tokens]
        if self.open_orders:
            lines.append(
                f"{self.open_orders} open orders stay open on the exchange; cancel them first: millrace publish "
                f'{self.tenant}.traderActions \'{{"action":"cancelAllOrders","exchangeId":"…"}}\''
            )
        return [*lines, "its history stays in the database"]


async def plan(stores: Stores, tenant: Tenant) -> Stop:
    """Return what stopping a tenant does, checked.

    Raises:
        CommandFailed: nothing of it is there, or a configuration would have mistakes.
        NoDatabase: there is none.
    """
    in_force = [each for each in await tokens.listed(existing(stores.database_url), tenant) if each.revoked_ms is None]
    async with services(stores) as opened:
        edits: list[ConfigEdit] = []
        for agent in sorted(await opened.bus.all_configs()):
            before, expected = await configuration(opened, agent)
            if before is not None and tenant in tenants_of(before):
                kind = await kind_of(opened, agent, before)
                edits.append(ConfigEdit(agent, kind, before, removed(before, tenant), expected))
        if not edits and not in_force:
            raise CommandFailed(f"no configuration names {tenant}, and it has no token: there is nothing to stop")
        await check(opened, edits)
        found = await orders(opened.bus, tenant, OrderFilter(only_open=True), _MOST_COUNTED)
    return Stop(tenant, edits, in_force, len(found))


async def apply(stores: Stores, stop: Stop) -> None:
    """Write the configurations and revoke the tokens.

    Raises:
        CommandFailed: a configuration was changed meanwhile; run it again.
        TokenError: a token was revoked meanwhile.
    """
    async with services(stores) as opened:
        await write(opened, stop.edits)
    for token in stop.tokens:
        await tokens.revoke(stores.database_url, stop.tenant, token.id)
