"""Halts of a tenant: of everything, an exchange, or an order source. See docs/protocol.md, "Halts"."""

from typing import Final, NamedTuple

import msgspec

from millrace_bus.connection.calls import Call
from millrace_bus.errors import CommandRefused
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import ExchangeId, Tenant, halt_key


class HaltScope(NamedTuple):
    """Scope of a halt: an exchange, an order source, or with neither everything of the tenant."""

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
    """Time, reason and author of a halt."""

    since: int
    """ms"""
    reason: str | None = None
    by: str | None = None


MARK: Final = "."
"""A field that stays when halts are lifted, so that a hash that vanished was lost and not emptied."""

_NOTE = msgspec.json.Decoder(HaltNote)


class HaltsRead(NamedTuple):
    """A tenant's halts as Redis holds them."""

    halts: dict[HaltScope, HaltNote]
    has_mark: bool
    """Whether the hash of halts was written and not lost since."""


class Halts:
    """The halts of every tenant; reached as `bus.halts`. Every call waits out an outage of Redis."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def set(self, tenant: Tenant, scope: HaltScope, note: HaltNote) -> None:
        """Halt; an existing halt gets the new note.

        Raises:
            CommandRefused: Redis does not write it, as when it is out of memory.
        """
        await self._call("HSET", halt_key(tenant), str(scope), msgspec.json.encode(note), MARK, "")

    async def mark(self, tenant: Tenant) -> None:
        """Write the mark, which halts that were written by hand lack.

        Raises:
            CommandRefused: Redis does not write.
        """
        await self._call("HSET", halt_key(tenant), MARK, "")

    async def clear(self, tenant: Tenant, scope: HaltScope) -> bool:
        """Lift a halt of exactly this scope; tell whether there was one.

        Raises:
            CommandRefused: Redis does not write, as when it is read only: nothing was lifted.
        """
        return bool(await self._call("HDEL", halt_key(tenant), str(scope)))

    async def get(self, tenant: Tenant) -> dict[HaltScope, HaltNote]:
        """Return everything that is halted; a note, or a key, that cannot be read halts all the same."""
        return (await self.read(tenant)).halts

    async def read(self, tenant: Tenant) -> HaltsRead:
        """Return everything that is halted, and whether the hash has its mark."""
        try:
            found = await self._call("HGETALL", halt_key(tenant))
        except CommandRefused as refused:
            if refused.code != "WRONGTYPE":
                raise
            # Written by hand, as `SET`: what matters is that somebody wants it halted.
            reason = f"the key {halt_key(tenant)} is not a hash; delete it"
            return HaltsRead({HaltScope(): HaltNote(since=0, reason=reason)}, has_mark=True)
        marked = found.pop(MARK.encode(), None) is not None
        halts = {HaltScope.parse(field.decode(errors="replace")): _note(value) for field, value in found.items()}
        return HaltsRead(halts, marked)


def _note(value: bytes) -> HaltNote:
    try:
        return _NOTE.decode(value)
    except UNREADABLE:
        # Written by hand: what matters is that somebody wants it halted.
        return HaltNote(since=0, reason=value.decode(errors="replace"))
