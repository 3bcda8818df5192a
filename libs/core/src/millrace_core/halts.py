"""Halts of a tenant, and when they were resumed. See docs/protocol.md, "Halts".

Redis, the database and the executor each hold a copy of a tenant's halts, and any of them may lose part of it. Copies
are joined: what one has lost it learns again from another. A halt is in force until a resumption after it is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from millrace_core.names import ExchangeId

MOST_SCOPES: Final = 1_000
"""Scopes of a tenant that are halted or were: a halt of one more halts everything, since to stop is safe. All of them
are read and written with each change."""


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


@dataclass(frozen=True, slots=True)
class HaltState:
    """What is known of a tenant's halts; `join` is commutative, associative and idempotent."""

    halts: Mapping[HaltScope, HaltNote] = field(default_factory=dict)
    """The halts in force."""
    resumed: Mapping[HaltScope, int] = field(default_factory=dict)
    """When each scope was last resumed, ms."""

    def join(self, other: "HaltState") -> "HaltState":
        """Return what both know: of each scope the newest halt, unless a later resumption is known."""
        resumed = {
            scope: max(self.resumed.get(scope, 0), other.resumed.get(scope, 0))
            for scope in self.resumed.keys() | other.resumed.keys()
        }
        halts: dict[HaltScope, HaltNote] = {}
        for scope, note in (*self.halts.items(), *other.halts.items()):
            # At the same moment the halt prevails: to stop is safe.
            if note.since >= resumed.get(scope, 0) and (scope not in halts or _order(note) > _order(halts[scope])):
                halts[scope] = note
        return HaltState(halts, resumed)

    def halted(self, scope: HaltScope, note: HaltNote) -> "HaltState":
        """Return the state after a halt, whatever the clocks of others said before; an existing halt gets the note.

        If there is no room for the scope, everything is halted, and the note says why.
        """
        known = self.halts.keys() | self.resumed.keys()
        if scope not in known and len(known) >= MOST_SCOPES:
            scope, note = HaltScope(), msgspec.structs.replace(note, reason=_no_room(scope, note.reason))
        before = self.halts[scope].since + 1 if scope in self.halts else 0
        since = max(note.since, before, self.resumed.get(scope, 0))
        return HaltState({**self.halts, scope: msgspec.structs.replace(note, since=since)}, self.resumed)

    def resume(self, scope: HaltScope, at_ms: int) -> "HaltState":
        """Return the state after a scope was resumed, whatever the clock said that halted it."""
        at_ms = max(at_ms, self.halts[scope].since + 1 if scope in self.halts else 0)
        halts = {each: note for each, note in self.halts.items() if each != scope}
        return HaltState(halts, {**self.resumed, scope: at_ms})


def _no_room(scope: HaltScope, reason: str | None) -> str:
    text = f"{MOST_SCOPES:,} scopes are known, and none is forgotten: no room for {scope}, so everything is halted"
    return text if reason is None else f"{reason} ({text})"


def _order(note: HaltNote) -> tuple[int, str, str]:
    return note.since, note.reason or "", note.by or ""
