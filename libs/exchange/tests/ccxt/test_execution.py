"""Orders and questions about them, with ccxt's answers written by hand."""

from collections.abc import Sequence
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId
from millrace_core.requests import CancelPayload
from millrace_exchange import Rejected, Retryable
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.profile import DAY_MS, ClientOrderIds, ExchangeProfile, History, HistoryWindow

SYMBOL = "A/B"


class Answers:
    """What ccxt answers."""

    last_response_headers: dict[str, str] = {}

    def __init__(self, trades: Sequence[int] = (), *, width_ms: int = 1, page: int = 100) -> None:
        self.asked: list[int] = []
        self._trades, self._width_ms, self._page = trades, width_ms, page

    async def fetch_order(self, *_: Any) -> dict[str, Any]:
        """Return what ccxt makes of a body that was cut short."""
        return {"id": None, "symbol": SYMBOL, "info": {}}

    async def fetch_open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Return two open orders."""
        return [{"id": str(n), "symbol": symbol, "clientOrderId": f"ours-{n}"} for n in range(2)]

    async def cancel_order(self, order_id: str, symbol: str, params: dict[str, Any]) -> dict[str, Any]:
        """Cancel an order by the exchange's id alone."""
        assert not params
        return {"id": order_id, "symbol": symbol, "status": "canceled"}

    async def fetch_my_trades(self, symbol: str, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """Return the trades of one span, the oldest first, as an exchange with history windows does."""
        self.asked.append(since_ms)
        found = [at for at in self._trades if since_ms <= at < since_ms + self._width_ms][: min(limit, self._page)]
        return [
            {"id": str(at), "timestamp": at, "symbol": symbol, "side": "buy", "price": 1.0, "amount": 1.0, "order": "o"}
            for at in found
        ]


BY_OUR_ID = ClientOrderIds(fetches=True)
NOTHING = HistoryWindow()


def client(ccxt: Answers, window: HistoryWindow = NOTHING, ids: ClientOrderIds = BY_OUR_ID) -> CcxtExecutionClient:
    """Return the port over these answers."""
    profile = ExchangeProfile(exchange=ExchangeId("x"), history=History(own_trades=window), client_order_ids=ids)
    return CcxtExecutionClient(CcxtCaller(ccxt, profile, has_keys=True))


async def test_an_answer_without_an_id_is_no_evidence_of_an_order() -> None:
    """Ccxt makes an order without an id of a body that was cut short: it can be asked for again."""
    with pytest.raises(Retryable):
        await client(Answers()).fetch_order(SYMBOL, client_order_id="ours")


async def test_own_trades_are_found_beyond_the_first_span() -> None:
    """An answer that spans seven days is followed by the next, up to now; those too long ago are not asked for."""
    now = now_ms()
    recent, older, too_old = now - 1_000, now - 20 * DAY_MS, now - 200 * DAY_MS
    ccxt = Answers([too_old, older, recent], width_ms=7 * DAY_MS, page=100)
    window = HistoryWindow(reach_ms=90 * DAY_MS, width_ms=7 * DAY_MS)
    trades = await client(ccxt, window).fetch_my_trades(SYMBOL, now - 365 * DAY_MS)
    assert [trade.timestamp for trade in trades] == [older, recent]
    assert min(ccxt.asked) >= now - 90 * DAY_MS


async def test_where_our_id_cannot_be_asked_for_the_open_orders_are_searched() -> None:
    """Ccxt would ask some exchanges for an order of an empty id, and take the answer for absence."""
    account = client(Answers(), ids=ClientOrderIds(fetches=False))
    found = await account.fetch_order(SYMBOL, client_order_id="ours-1")
    assert found is not None
    assert found.id == "1"
    assert await account.fetch_order(SYMBOL, client_order_id="ours-9") is None


async def test_where_our_id_cannot_be_canceled_the_exchanges_own_is_found_first() -> None:
    """The order is canceled by its id; one that is not open any more cannot be."""
    account = client(Answers(), ids=ClientOrderIds(fetches=False, cancels=False))
    canceled = await account.cancel_order(CancelPayload(symbol=SYMBOL, client_order_id="ours-1"))
    assert [order.id for order in canceled.orders] == ["1"]
    with pytest.raises(Rejected):
        await account.cancel_order(CancelPayload(symbol=SYMBOL, client_order_id="ours-9"))
