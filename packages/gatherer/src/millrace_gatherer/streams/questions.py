"""When the exchange is asked next for what its stream may have lost."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from millrace_exchange import Exchange, IncompleteList
from millrace_exchange.profile import RateLimit, RequestLimits
from millrace_service import UnitHealthReporter

ACTIVE_S: Final = 6.0
"""How soon after a message of an account to ask: where one came another may be lost, and nothing shows that."""

UNKNOWN_EACH_S: Final = 0.5
"""How much later with each stream of an account where the profile names no limit."""

_SHARE: Final = 0.5
"""What questions may use of an exchange's limits: the rest is for orders, and for what is asked of the market."""

_ASKED: Final = ("fetchOpenOrders", "fetchClosedOrders")
"""The dearest question about one stream."""


T = TypeVar("T")


async def listed(answer: Awaitable[list[T]], health: UnitHealthReporter) -> list[T]:
    """Return what the exchange lists; if there may be more, that is reported: nothing shows the rest."""
    try:
        return await answer
    except IncompleteList as cut:
        health.error(cut)
        return cut.rows


class QuestionTimer:
    """Waits until a question is due: on a timer, sooner after a message, and at once when woken."""

    def __init__(self, wake: asyncio.Event, soon_s: Callable[[], float | None]) -> None:
        """`soon_s` returns how soon after a message a question is due; None where messages do not matter."""
        self._wake, self._soon_s = wake, soon_s
        self._due: asyncio.TimerHandle | None = None
        """Wakes for the next question; None if no message calls for one."""
        self._has_received = False
        """Whether a message has come since the last question."""
        self._missed_s: float | None = None
        """When a missing message was last asked for at once; None for never."""
        self._concerned: list[WeakSet[QuestionTimer]] = []
        """Timers of other streams that a message concerns too."""

    def concerns(self, timers: "WeakSet[QuestionTimer]") -> None:
        """Have the questions of other streams asked as soon as its own."""
        self._concerned.append(timers)

    def received(self) -> None:
        """Note a message: ask soon."""
        self._note()
        for timers in self._concerned:
            for timer in timers:
                timer._note()

    def missed(self) -> None:
        """Note that a message is missing for certain: ask at once, or soon if that was done a moment ago."""
        self.received()
        self._ask_at_once()

    def found(self) -> None:
        """Note that an answer has what no message brought: of what it concerns too, messages are missing as well."""
        self.received()
        for timers in self._concerned:
            for timer in timers:
                if timer is not self:
                    timer._ask_at_once()

    def _ask_at_once(self) -> None:
        at_s, soon_s = asyncio.get_running_loop().time(), self._soon_s() or 0.0
        if self._missed_s is None or at_s - self._missed_s >= soon_s:
            self._missed_s = at_s
            self._wake.set()

    def _note(self) -> None:
        self._has_received = True
        if self._due is None:
            self._wake_soon()

    def asking(self) -> None:
        """Note that the question is asked now: what is received from here on may not be in its answer.

        After messages it is asked once more: those that were lost may have been the last.
        """
        self._wake.clear()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._has_received:
            self._has_received = False
            self._wake_soon()

    async def wait(self, pause_s: float | None) -> None:
        """Wait until a question is due, but no longer than this; None for any time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wake.wait()

    def _wake_soon(self) -> None:
        if (soon_s := self._soon_s()) is not None:
            self._due = asyncio.get_running_loop().call_later(soon_s, self._wake.set)


_Timers = dict[str | None, "WeakSet[QuestionTimer]"]
_accounts: WeakKeyDictionary[object, _Timers] = WeakKeyDictionary()
"""The timers of each account by symbol; under None those of account-wide streams."""


def each_s(requests: RequestLimits) -> float:
    """Return how much later to ask with each stream of an account, in s: together they keep within the limits."""
    if not requests.limits:
        return UNKNOWN_EACH_S
    shares = (_weight(requests, limit) / limit.weight * limit.window_ms for limit in requests.limits)
    return max(shares) / 1_000 / _SHARE


def _weight(requests: RequestLimits, limit: RateLimit) -> int:
    counted = filter(limit.counts_action, _ASKED)
    return sum(requests.weights.get(action, 1) if limit.counts == "weight" else 1 for action in counted)


def account_timer(exchange: Exchange, symbol: str | None, wake: asyncio.Event) -> QuestionTimer:
    """Return the timer of one of the streams of an exchange's account.

    A message about an order or a trade concerns the symbol's orders, its trades and all that is account-wide: of a
    trade the order's message may come and the trade's be lost. A message about a balance concerns no symbol.
    """
    timers = _accounts.setdefault(exchange.account, {})
    pause_s = each_s(exchange.profile.requests)
    timer = QuestionTimer(wake, lambda: max(ACTIVE_S, pause_s * sum(map(len, timers.values()))))
    for concerned in {symbol, None}:
        timer.concerns(timers.setdefault(concerned, WeakSet()))
    timers[symbol].add(timer)
    return timer
