"""The markets of an exchange, kept current: new listings, delistings, changed ticks."""

import asyncio
import contextlib
import logging
from typing import Any, Final, NoReturn

from millrace_core.near_names import did_you_mean
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.errors import ExchangeError, Rejected
from millrace_exchange.wallets import Wallet, wallet_of

log = logging.getLogger("millrace.ccxt")

RELOAD_S: Final = 3_600.0
"""How often the markets are loaded again."""
LOOK_AGAIN_S: Final = 60.0
"""How soon they are loaded again for a symbol that is not among them: it may be new, or a mistake."""


class MarketListing:
    """The markets of one ccxt instance."""

    def __init__(self, caller: CcxtCaller) -> None:
        self._caller = caller
        self._loaded_at = -LOOK_AGAIN_S
        self._looking = asyncio.Lock()
        self._believed_to_lack: set[Wallet] = set()
        """Kinds of markets of which two answers in a row listed none."""
        self._was_loaded = asyncio.Event()
        """Set, and replaced, when the markets have been loaded."""
        self._doubted = asyncio.Event()
        """Set while the markets are to be loaded again before their hour."""

    def doubt(self) -> None:
        """Have the markets loaded again, since they may have changed: a minute after the last time at the earliest."""
        self._doubted.set()

    async def know(self, symbol: str | None) -> None:
        """Load the markets at first, and again if a symbol is not among them, but not again and again.

        Raises:
            Rejected: the exchange has no such market, or has it no more.
            Retryable, Fatal: the exchange cannot be reached, or refuses.
        """
        if symbol is not None and symbol in self._markets:
            return
        async with self._looking:
            await self._look_for(symbol)
        if symbol is not None and symbol not in self._markets:
            exchange, near = self._caller.profile.exchange, did_you_mean(symbol, self._markets)
            text = f"{exchange} has no market {symbol}{near}"
            raise Rejected(text, exchange=exchange, action="loadMarkets", kind="BadSymbol")

    async def reloaded(self) -> None:
        """Wait until the markets have been loaded again."""
        await self._was_loaded.wait()

    async def keep_current(self) -> NoReturn:
        """Load the markets again every hour and when they are in doubt, until cancelled.

        After a failure the former ones stay for a minute.
        """
        pause_s = RELOAD_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._in_doubt()
            try:
                await self._load(again=True)
                pause_s = RELOAD_S
            except ExchangeError as error:
                # With former ticks every order may be refused.
                pause_s = max(LOOK_AGAIN_S, error.retry_after_s)
                log.warning("the markets of %s could not be loaded again: %s", self._caller.profile.exchange, error)

    async def _in_doubt(self) -> None:
        """Return once the markets are in doubt and may be loaded again."""
        await self._doubted.wait()
        await asyncio.sleep(self._loaded_at + LOOK_AGAIN_S - _now())

    async def _look_for(self, symbol: str | None) -> None:
        if not self._markets:
            await self._load(again=False)
        if symbol is None or symbol in self._markets:
            return
        if _now() - self._loaded_at >= LOOK_AGAIN_S:
            await self._load(again=True)
        await self._make_sure_of_kind(symbol)

    async def _make_sure_of_kind(self, symbol: str) -> None:
        """Load the markets once more if no market of a symbol's kind is listed.

        ccxt asks for each kind by itself, and takes an answer that lists nothing for one without any.
        """
        kind = wallet_of(symbol)
        if kind in self._believed_to_lack or any(wallet_of(each) == kind for each in self._markets):
            return
        await self._load(again=True)
        self._believed_to_lack.add(kind)

    async def _load(self, *, again: bool) -> None:
        self._loaded_at = _now()
        self._doubted.clear()
        await self._caller.call("loadMarkets", self._caller.ccxt.load_markets, again)
        self._was_loaded.set()
        self._was_loaded = asyncio.Event()

    @property
    def _markets(self) -> dict[str, Any]:
        return self._caller.ccxt.markets or {}


def _now() -> float:
    return asyncio.get_running_loop().time()
