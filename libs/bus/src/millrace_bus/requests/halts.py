"""Halts of a tenant as Redis holds them. See docs/protocol.md, "Halts"."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from millrace_bus.connection.calls import Call
from millrace_bus.errors import CommandRefused
from millrace_core.clock import LATEST_MS, now_ms
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import Tenant, halt_key

_RESUMED: Final = "."
"""Begins the fields that say when a scope was resumed; no exchange's id begins with it."""
_NOTE = msgspec.json.Decoder(HaltNote)


class HaltsRead(NamedTuple):
    """A tenant's halts as Redis holds them."""

    state: HaltState
    typed: Mapping[HaltScope, HaltNote]
    """Halts that a person wrote by hand, without the time."""

    def joined_to(self, known: HaltState, at_ms: int) -> HaltState:
        """Return what is known with these halts; one typed by hand begins now, unless its scope is halted already."""
        joined = known.join(self.state)
        for scope, note in self.typed.items():
            if scope not in joined.halts:
                joined = joined.halted(scope, msgspec.structs.replace(note, since=at_ms))
        return joined


class Halts:
    """The halts of every tenant; reached as `bus.halts`. Every call waits out an outage of Redis."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def set(self, tenant: Tenant, scope: HaltScope, note: HaltNote) -> None:
        """Halt; an existing halt gets the new note. An executor stores it in the database within a second.

        Raises:
            CommandRefused: Redis does not write it, as when it is out of memory.
        """
        found = (await self.read(tenant)).joined_to(HaltState(), note.since)
        await self.write(tenant, found.halted(scope, note))

    async def clear(self, tenant: Tenant, scope: HaltScope) -> bool:
        """Lift a halt of exactly this scope; tell whether there was one.

        Raises:
            CommandRefused: Redis does not write, as when it is read only: nothing was lifted.
        """
        found = (await self.read(tenant)).joined_to(HaltState(), now_ms())
        if scope in found.halts:
            await self.write(tenant, found.resume(scope, now_ms()))
        return scope in found.halts

    async def write(self, tenant: Tenant, state: HaltState) -> None:
        """Write halts and resumptions; whatever else is halted in Redis stays.

        Raises:
            CommandRefused: Redis does not write it, as when it is out of memory.
        """
        fields: list[str | bytes] = []
        for scope, note in state.halts.items():
            fields += [str(scope), msgspec.json.encode(note)]
        for scope, at_ms in state.resumed.items():
            fields += [f"{_RESUMED}{scope}", str(at_ms)]
        if fields:
            await self._call("HSET", halt_key(tenant), *fields)
        if over := state.resumed.keys() - state.halts.keys():
            await self._call("HDEL", halt_key(tenant), *map(str, over))

    async def get(self, tenant: Tenant) -> dict[HaltScope, HaltNote]:
        """Return everything that is halted; a note, or a key, that cannot be read halts all the same."""
        return dict((await self.read(tenant)).joined_to(HaltState(), 0).halts)

    async def read(self, tenant: Tenant) -> HaltsRead:
        """Return what Redis holds of a tenant's halts."""
        try:
            found = await self._call("HGETALL", halt_key(tenant))
        except CommandRefused as refused:
            if refused.code != "WRONGTYPE":
                raise
            # Written by hand, as `SET`: what matters is that somebody wants it halted.
            reason = f"the key {halt_key(tenant)} is not a hash; delete it"
            return HaltsRead(HaltState(), {HaltScope(): HaltNote(since=0, reason=reason)})
        fields = {field.decode(errors="replace"): value for field, value in found.items()}
        resumed = {
            HaltScope.parse(field.removeprefix(_RESUMED)): at_ms
            for field, value in fields.items()
            if field.startswith(_RESUMED) and (at_ms := _time(value))
        }
        notes = {HaltScope.parse(field): _note(value) for field, value in fields.items() if field[:1] != _RESUMED}
        timed = {scope: note for scope, note in notes.items() if 0 < note.since <= LATEST_MS}
        typed = {scope: note for scope, note in notes.items() if scope not in timed}
        return HaltsRead(HaltState(timed).join(HaltState({}, resumed)), typed)


def _time(value: bytes) -> int:
    """Return when a scope was resumed, ms; 0 if the value is no time."""
    at_ms = int(value) if value.isdigit() and len(value) <= len(str(LATEST_MS)) else 0
    return at_ms if at_ms <= LATEST_MS else 0


def _note(value: bytes) -> HaltNote:
    try:
        return _NOTE.decode(value)
    except UNREADABLE:
        # Written by hand: what matters is that somebody wants it halted.
        return HaltNote(since=0, reason=value.decode(errors="replace"))
