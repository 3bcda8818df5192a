"""Questions about orders, with ccxt's answers written by hand."""

from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId
from millrace_exchange import Retryable
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.order_queries import CcxtOrderQueries
from millrace_exchange.profile import DAY_MS, ExchangeProfile, History, HistoryWindow

SYMBOL = "A/B"


class Answers:
    """What ccxt answers."""

    last_response_headers: dict[str, str] = {}

    def __init__(self, trades: list[int], *, width_ms: int, page: int) -> None:
        self.asked: list[int] = []
        self._trades, self._width_ms, self._page = trades, width_ms, page

    async def fetch_order(self, *_: Any) -> dict[str, Any]:
        """Return what ccxt makes of a body that was cut short."""
        return {"id": None, "symbol": SYMBOL, "info": {}}

    async def fetch_my_trades(self, symbol: str, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """Return the trades of one span, the oldest first, as an exchange with history windows does."""
        self.asked.append(since_ms)
        found = [at for at in self._trades if since_ms <= at < since_ms + self._width_ms][: min(limit, self._page)]
        return [
            {"id": str(at), "timestamp": at, "symbol": symbol, "side": "buy", "price": 1.0, "amount": 1.0, "order": "o"}
            for at in found
        ]


def queries(ccxt: Answers, window: HistoryWindow) -> CcxtOrderQueries:
    """Return the port over these answers."""
    profile = ExchangeProfile(exchange=ExchangeId("x"), history=History(own_trades=window))
    return CcxtOrderQueries(CcxtCaller(ccxt, profile, has_keys=True))


async def test_an_answer_without_an_id_is_no_evidence_of_an_order() -> None:
    """Ccxt makes an order without an id of a body that was cut short: it can be asked for again."""
    with pytest.raises(Retryable):
        await queries(Answers([], width_ms=1, page=1), HistoryWindow()).fetch_order(SYMBOL, client_order_id="ours")


async def test_own_trades_are_found_beyond_the_first_span() -> None:
    """An answer that spans seven days is followed by the next, up to now; those too long ago are not asked for."""
    now = now_ms()
    recent, older, too_old = now - 1_000, now - 20 * DAY_MS, now - 200 * DAY_MS
    ccxt = Answers([too_old, older, recent], width_ms=7 * DAY_MS, page=100)
    window = HistoryWindow(reach_ms=90 * DAY_MS, width_ms=7 * DAY_MS)
    trades = await queries(ccxt, window).fetch_my_trades(SYMBOL, now - 365 * DAY_MS)
    assert [trade.timestamp for trade in trades] == [older, recent]
    assert min(ccxt.asked) >= now - 90 * DAY_MS
