"""Calls of one ccxt instance's methods, whose failures become errors of `millrace_exchange.errors`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from weakref import WeakSet

from ccxt.base.errors import InvalidNonce

from millrace_core.actions import MARKET_ACTIONS
from millrace_exchange.ccxt.batching import SubscriptionBatches
from millrace_exchange.ccxt.classification import FAILURES, classify, is_limit
from millrace_exchange.ccxt.exchange_clock import ExchangeClock
from millrace_exchange.ccxt.patience import Patience
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.ccxt.settings import TIMEOUT_MS
from millrace_exchange.errors import ExchangeError, Retryable
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.refusals import LIMITED
from millrace_exchange.request_gate import RequestGate
from millrace_exchange.sending_guard import once_sure

_ANSWER_TIMEOUT_S: Final = TIMEOUT_MS / 1000 + 1
"""ccxt itself waits for an answer over WebSocket without a limit. A REST call reports its own timeout before this."""

_TIME: Final = "fetchTime"
_SERVER_ERROR: Final = 500


class CcxtCaller:
    """Calls one ccxt instance. The parts of the adapter share it, and nothing else."""

    def __init__(
        self,
        ccxt: Any,
        profile: ExchangeProfile,
        gate: RequestGate,
        *,
        has_keys: bool,
        poll_interval_s: float = 1.0,
        another: "Callable[[], CcxtCaller]",
        clock: ExchangeClock | None = None,
    ) -> None:
        self.ccxt = ccxt
        self.profile = profile
        self.gate = gate
        self.batches = SubscriptionBatches(ccxt, gate)
        self.has_keys = has_keys
        self.poll_interval_s = poll_interval_s
        """How often to ask for a stream that the exchange does not send."""
        self.patience = Patience()
        self.clock = clock or ExchangeClock()
        """The exchange's clock, by which requests are signed."""
        self.account_connections: WeakSet[Any] = WeakSet()
        """Those over which the account's streams come, or came."""
        self.another = another
        """Opens a further instance with the same settings; nothing is sent yet."""

    async def load_markets(self) -> None:
        """Load the exchange's markets, unless they are loaded already."""
        await self.call("loadMarkets", self.ccxt.load_markets)

    async def call(
        self,
        action: str,
        method: Callable[..., Awaitable[Any]],
        *arguments: Any,
        timed: Sending | None = None,
        over_socket: bool = False,
        read: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Await one of ccxt's methods; `timed` records when the request left.

        `read` takes from the answer what is wanted: that it cannot is a failure of the exchange's too.

        A method that sends its request `over_socket` passes the gate here; every REST call does so by itself.

        Raises:
            Retryable, Rejected, OutcomeUnknown, Fatal: see `millrace_exchange.errors`.
        """
        if action != _TIME:
            await self.know_clock()
        timed = timed or Sending()

        async def send() -> Any:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S) as limit:
                if over_socket:
                    await self.gate.enter(action)
                with timed.of(action), self.patience.limiting(action, limit, timed):
                    return await method(*arguments)

        with self._classified(action, timed):
            answer = await once_sure(send)
            return answer if read is None else read(answer)

    async def know_clock(self) -> None:
        """Measure the exchange's clock if it is doubted: what is signed next has the right time.

        Raises:
            ExchangeError: it cannot be reached.
        """
        if self.clock.is_doubted:
            await self.clock.measure(self.profile.exchange, self.time)

    async def time(self) -> int | None:
        """Return the exchange's time, ms; None if it tells none.

        Raises:
            Retryable, Rejected, Fatal: see `millrace_exchange.errors`.
        """
        if not self.ccxt.has.get(_TIME):
            return None
        time_ms: int = await self.call(_TIME, self.ccxt.fetch_time, read=int)
        return time_ms

    async def follow(
        self,
        action: str,
        watch: Callable[..., Awaitable[Any]],
        *arguments: Any,
        take: Callable[[Any], None] | None = None,
    ) -> NoReturn:
        """Await one of ccxt's streams, pass what it returns to `take`, and await it again.

        Raises:
            Retryable, Rejected, Fatal: why it broke.
        """
        following = Sending()
        # The request to begin it may be signed, and have been refused for its time; no other may be sent meanwhile.
        await self.know_clock()
        with self._classified(action, following):
            await self.gate.enter(action, 0)
            with following.of(action):
                while True:
                    returned = await watch(*arguments)
                    if take is not None:
                        take(returned)

    @contextmanager
    def _classified(self, action: str, timed: Sending) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError as error:
            # ccxt cancels its own futures when it closes a connection: that is a failure, no wish of our caller.
            if was_cancelled():
                raise
            raise self._classify(action, error, timed) from None
        except FAILURES as error:
            raise self._classify(action, error, timed) from error

    def _classify(self, action: str, error: BaseException, timed: Sending) -> ExchangeError:
        if error.args and isinstance(error.args[0], Retryable):
            # A socket that the gate held back: ccxt calls it a failure of the network.
            return error.args[0]
        is_limited = is_limit(error) or timed.status in LIMITED
        classified = classify(
            self.profile,
            action,
            error,
            sent=timed.at_ns is not None,
            changed=timed.has_changed,
            is_page=timed.content is None,
            is_limited=timed.status in LIMITED,
            is_answered=not is_limited and timed.status is not None and timed.status < _SERVER_ERROR,
        )
        if not isinstance(classified, Retryable):
            return classified
        if isinstance(error, InvalidNonce) and action not in MARKET_ACTIONS:
            # In a market's stream ccxt calls a gap in a book so too; what such a stream asks is looked at by itself.
            self.clock.doubt()
        if is_limited and timed.status not in LIMITED:
            # Of an answer whose status says it, the gate has heard; its pause may even be over.
            self.gate.refused(action)
        classified.retry_after_ms = self.gate.stopped_ms(action)
        return classified


def was_cancelled() -> bool:
    """Tell whether the running task was asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
