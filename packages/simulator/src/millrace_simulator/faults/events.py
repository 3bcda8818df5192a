"""Faults of the events of accounts' streams, for every dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import msgspec

from millrace_simulator.faults.rule import EVENT, OF_EVENTS, FaultKind, Faults
from millrace_simulator.streaming import ClientConnection

Send = Callable[[bytes], None]

_WRONG: Final[tuple[Any, ...]] = (None, [], {}, "", "abc", -1, True, 1e300, "NaN", [[]])
_KINDS: Final = ("e", "type", "subject", "topic")
"""Fields that say what an event is."""
_OWNERS: Final = ("subscriptionId", "s", "a", "userId", "symbol", "currency", "accountId")
"""Fields that say whose it is. Not those that name an order: nothing could tell that another one is not meant."""


class EventLine:
    """The way of an account's events to one client."""

    def __init__(self, connection: ClientConnection, faults: Faults) -> None:
        self._connection = connection
        self._faults = faults
        self._mute: asyncio.Event | None = None
        """Set once it may speak again."""

    def send(self, name: str, message: bytes, send: Send) -> None:
        """Send the text of an event, unless something happens to it."""
        if self._mute is not None and not self._mute.is_set():
            return
        rule = self._faults.rule_for(request := f"{EVENT}{name}")
        if rule is None:
            send(message)
            return
        match self._faults.next(request, OF_EVENTS):
            case FaultKind.MISSING:
                pass
            case FaultKind.MUTE:
                self._mute = self._faults.lifted
            case FaultKind.LOST:
                self._connection.abort()
            case FaultKind.LATE:
                asyncio.get_running_loop().call_later(rule.late_ms / 1000, send, message)
            case FaultKind.GARBLED:
                send(mutated(message, self._faults.random))
            case kind:
                for _ in range(2 if kind is FaultKind.DOUBLED else 1):
                    send(message)


def mutated(message: bytes, random: Random) -> bytes:
    """Return an event that is not as documented: cut, or with a field missing, of another type, kind or account."""
    if random.random() < 0.1:
        return message[: len(message) // 2]
    event = msgspec.json.decode(message)
    places = list(_places(event))
    kinds = [place for place in places if place[1] in _KINDS]
    owners = [place for place in places if place[1] in _OWNERS]
    fields, name = random.choice(random.choice([each for each in (places, places, kinds, owners) if each]))
    value = fields[name]
    if name in _KINDS:
        fields[name] = "somethingNew"
    elif name in _OWNERS and random.random() < 0.5:
        fields[name] = value + 1_000_000 if isinstance(value, int) else f"{value}X"
    else:
        _spoil(fields, name, random)
    return msgspec.json.encode(event)


def _spoil(fields: dict[str, Any], name: str, random: Random) -> None:
    """Take a field away, write a number as a text or the other way round, or put something else in its place."""
    value, way = fields[name], random.randrange(3)
    if way == 0:
        del fields[name]
    elif way == 1:
        fields[name] = _turned(value)
    else:
        fields[name] = random.choice([each for each in _WRONG if repr(each) != repr(value)])


def _turned(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return [value]
    return str(value)


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every object and name of a field in it, at every depth."""
    if isinstance(value, dict):
        for name in value:
            yield value, name
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _places(each)
