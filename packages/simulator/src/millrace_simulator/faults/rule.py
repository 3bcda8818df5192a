"""Which fault happens to which request or event: one rule, by chance of a seed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Final

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import replace

from millrace_simulator.faults.interference import Interference


class FaultKind(StrEnum):
    """What happens to one request, or to one event of an account's stream."""

    DROPPED = "dropped"
    """The connection ends, and the exchange never gets the request."""
    LOST = "lost"
    """It is carried out, and the connection ends without an answer; an event: the connection ends without it."""
    HANGING = "hanging"
    """It is carried out, and never answered."""
    LATE = "late"
    """It is carried out, and answered after `lateMs`; an event comes so late, after those that follow it."""
    DOUBLED = "doubled"
    """It is carried out, and answered twice; over a WebSocket alone. An event comes twice."""
    GARBLED = "garbled"
    """It is carried out, and the answer is HTML, empty, cut, or of another shape, with status 200.

    An event is cut, or fields of it are missing, of another type or of another kind or account.
    """
    CORRUPT = "corrupt"
    """It is carried out, and the answer is gzip that cannot be unpacked; over HTTP alone."""
    FOREIGN = "foreign"
    """It is carried out, and the answer is one to an earlier request, and names its order."""
    FAILED = "failed"
    """It is carried out, and the answer says that the exchange does not know the outcome."""
    LIMITED = "limited"
    """It is refused: too many requests, and it says for how long to wait."""
    BANNED = "banned"
    """It is refused: the address is banned for a while; by Binance's dialect alone."""
    OVERLOADED = "overloaded"
    """It is refused: the exchange is overloaded."""
    REVOKED = "revoked"
    """It is refused: the API key is not valid any more."""
    FILLED = "filled"
    """It is carried out, and the order that it names is filled, whole or in part, before the answer leaves."""
    HALTED = "halted"
    """No new order is accepted while it is carried out: an order is refused, a replacement half done."""
    MISSING = "missing"
    """An event never comes."""
    MUTE = "mute"
    """Nor do those after it over its connection, which answers pings, while the rule is in force."""


EVENT: Final = "EVENT "
"""How the name of an event begins, where a request has its method."""
NOT_CARRIED_OUT: Final = frozenset({FaultKind.LIMITED, FaultKind.BANNED, FaultKind.OVERLOADED, FaultKind.REVOKED})
PASSING: Final = tuple(kind for kind in FaultKind if kind not in (FaultKind.REVOKED, FaultKind.MUTE))
"""Those that a client should survive by itself while the rule is in force."""
OF_EVENTS: Final = frozenset(
    {FaultKind.LOST, FaultKind.LATE, FaultKind.DOUBLED, FaultKind.GARBLED, FaultKind.MISSING, FaultKind.MUTE}
)
"""What can happen to an event."""
OVER_SOCKET: Final = frozenset(FaultKind) - {FaultKind.CORRUPT, FaultKind.MISSING, FaultKind.MUTE}
"""What can happen to a request over a WebSocket."""
OVER_HTTP: Final = frozenset(FaultKind) - {FaultKind.DOUBLED, FaultKind.MISSING, FaultKind.MUTE}
"""What can happen to a request over HTTP."""


class FaultRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """To which requests and events something happens, and what."""

    kinds: Annotated[tuple[FaultKind, ...], Meta(min_length=1)] = PASSING
    """One of these each time; without them all but `revoked` and `mute`."""
    requests: str = "*"
    """Pattern of method and path, such as `POST /api/v3/order`, of a method of the WebSocket API, or of an event.

    An event is `EVENT` and its name: `EVENT executionReport`, on KuCoin its topic: `EVENT /account/balance`.
    """
    rate: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """The share of them."""
    count: Annotated[int, Meta(ge=1)] | None = None
    """To how many it happens; None for all."""
    seed: int = 1
    late_ms: Annotated[int, Meta(ge=0)] = 1_500
    retry_after_s: Annotated[int, Meta(ge=1)] = 2
    events: FaultRule | None = None
    """What happens to events while this rule is in force, in its place; None if it is for events too."""


class Faults:
    """The rule in force, and how often each fault happened under all rules."""

    def __init__(self, possible: Sequence[FaultKind], interference: Interference) -> None:
        """`possible`: what the dialect can do."""
        self.interference = interference
        self.rule: FaultRule | None = None
        self.done: Counter[FaultKind] = Counter()
        self.lifted = asyncio.Event()
        """Set once the rule is replaced: what hangs until then ends."""
        self._possible = frozenset(possible)
        self.random = Random()  # noqa: S311

    def set(self, rule: FaultRule | None) -> None:
        """Put a rule in force in place of the last one; None for no faults."""
        self.rule = rule
        self.lifted.set()
        self.lifted = asyncio.Event()
        if rule is not None:
            self.random.seed(rule.seed)

    def next(self, request: str, among: frozenset[FaultKind]) -> FaultKind | None:
        """Return which of some faults happens to a request or an event; None if none does."""
        rule = self.rule_for(request)
        if rule is None or not fnmatchcase(request, rule.requests) or self.random.random() >= rule.rate:
            return None
        kinds = [each for each in rule.kinds if each in self._possible & among]
        if not kinds:
            return None
        kind = self.random.choice(kinds)
        self.done[kind] += 1
        if rule.count is not None:
            self._count(rule, rule.count - 1)
        return kind

    def rule_for(self, request: str) -> FaultRule | None:
        """Return the rule that is in force for a request, or for an event."""
        rule = self.rule
        return rule.events if rule is not None and rule.events is not None and request.startswith(EVENT) else rule

    def _count(self, rule: FaultRule, left: int) -> None:
        if rule is self.rule:
            self.rule = replace(rule, count=left) if left else None
        elif self.rule is not None:
            self.rule = replace(self.rule, events=replace(rule, count=left) if left else replace(rule, rate=0.0))

    def while_carried_out(self, kind: FaultKind | None, request: str) -> AbstractContextManager[None]:
        """Let the market interfere with a request, of which this is all the text, while it is carried out."""
        match kind:
            case FaultKind.FILLED:
                return self.interference.filling(request, self.random)
            case FaultKind.HALTED:
                return self.interference.halting()
            case _:
                return nullcontext()

    def garbled(self, answer: str) -> str:
        """Return a body that is no answer, in place of one."""
        return self.random.choice((*_GARBLED, answer[: len(answer) // 2]))


_GARBLED: Final = (
    "<html><body>Bad gateway</body></html>",
    "",
    "{}",
    "[]",
    "null",
    '{"code":',
    '"ok"',
    "\x1f\ufffd\x08\x00",
)

FAULTS: Final = web.AppKey("faults", Faults)
"""Where an application keeps its faults."""
