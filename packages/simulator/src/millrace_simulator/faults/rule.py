"""Which fault happens to which request: one rule, by chance of a seed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Final

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import replace


class FaultKind(StrEnum):
    """What happens to one request."""

    DROPPED = "dropped"
    """The connection ends, and the exchange never gets the request."""
    LOST = "lost"
    """It is carried out, and the connection ends without an answer."""
    HANGING = "hanging"
    """It is carried out, and never answered."""
    LATE = "late"
    """It is carried out, and answered after `lateMs`."""
    DOUBLED = "doubled"
    """It is carried out, and answered twice; over a WebSocket alone."""
    GARBLED = "garbled"
    """It is carried out, and the answer is HTML, empty, cut, or of another shape, with status 200."""
    FOREIGN = "foreign"
    """It is carried out, and the answer is one to an earlier request."""
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


NOT_CARRIED_OUT: Final = frozenset({FaultKind.LIMITED, FaultKind.BANNED, FaultKind.OVERLOADED, FaultKind.REVOKED})
PASSING: Final = tuple(kind for kind in FaultKind if kind is not FaultKind.REVOKED)
"""Those that a client should survive by itself."""


class FaultRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """To which requests something happens, and what."""

    kinds: Annotated[tuple[FaultKind, ...], Meta(min_length=1)] = PASSING
    """One of these each time; without them all but `revoked`."""
    requests: str = "*"
    """Pattern of the requests: method and path, such as `POST /api/v3/order`, or a method of the WebSocket API."""
    rate: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """The share of these requests."""
    count: Annotated[int, Meta(ge=1)] | None = None
    """To how many it happens; None for all."""
    seed: int = 1
    late_ms: Annotated[int, Meta(ge=0)] = 1_500
    retry_after_s: Annotated[int, Meta(ge=1)] = 2


class Faults:
    """The rule in force, and how often each fault happened under all rules."""

    def __init__(self, possible: Sequence[FaultKind]) -> None:
        """`possible`: what the dialect can do."""
        self.rule: FaultRule | None = None
        self.done: Counter[FaultKind] = Counter()
        self.lifted = asyncio.Event()
        """Set once the rule is replaced: what hangs until then ends."""
        self._possible = frozenset(possible)
        self._random = Random()  # noqa: S311

    def set(self, rule: FaultRule | None) -> None:
        """Put a rule in force in place of the last one; None for no faults."""
        self.rule = rule
        self.lifted.set()
        self.lifted = asyncio.Event()
        if rule is not None:
            self._random.seed(rule.seed)

    def next(self, request: str, *, impossible: FaultKind | None = None) -> FaultKind | None:
        """Return what happens to a request; None if nothing does."""
        rule = self.rule
        if rule is None or not fnmatchcase(request, rule.requests) or self._random.random() >= rule.rate:
            return None
        kinds = [each for each in rule.kinds if each in self._possible and each is not impossible]
        if not kinds:
            return None
        kind = self._random.choice(kinds)
        self.done[kind] += 1
        if rule.count is not None:
            self.rule = replace(rule, count=rule.count - 1) if rule.count > 1 else None
        return kind

    def garbled(self, answer: str) -> str:
        """Return a body that is no answer, in place of one."""
        return self._random.choice((*_GARBLED, answer[: len(answer) // 2]))


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
