"""What is halted for a tenant: everything, an exchange, an order source. See docs/protocol.md, "Names"."""

from typing import NamedTuple

import msgspec

from millrace_core.names import ExchangeId, Tenant


class HaltScope(NamedTuple):
    """What a halt stops; neither part means everything of the tenant."""

    exchange: ExchangeId | None = None
    order_source: str | None = None

    def __str__(self) -> str:
        return f"{self.exchange or '*'}/{self.order_source or '*'}"

    @classmethod
    def parse(cls, text: str) -> "HaltScope":
        """Read `{exchange or *}/{order source or *}`, the field's name in Redis."""
        exchange, _, source = text.partition("/")
        return cls(None if exchange == "*" else ExchangeId(exchange), None if source in ("*", "") else source)

    def covers(self, exchange: ExchangeId | None, order_source: str | None) -> bool:
        """Tell whether a request of this exchange and source is stopped."""
        return self.exchange in (None, exchange) and self.order_source in (None, order_source)


class HaltNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """Since when, why and by whom something is halted."""

    since: int
    """ms"""
    reason: str | None = None
    by: str | None = None


class Halts:
    """The halts of every tenant; reached as `bus.halts`. Every call waits out an outage of Redis."""

    async def set(self, tenant: Tenant, scope: HaltScope, note: HaltNote) -> None:
        """Halt; a halt that is there already takes the new note."""
        raise NotImplementedError

    async def clear(self, tenant: Tenant, scope: HaltScope) -> bool:
        """Lift a halt of exactly this scope; tell whether there was one."""
        raise NotImplementedError

    async def get(self, tenant: Tenant) -> dict[HaltScope, HaltNote]:
        """Give everything that is halted."""
        raise NotImplementedError
