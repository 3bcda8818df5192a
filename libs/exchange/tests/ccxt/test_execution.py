"""Orders and questions about them, with ccxt's answers written by hand."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from unittest.mock import AsyncMock

import pytest

from millrace_core.clock import DAY_MS, now_ms
from millrace_core.market import Trade
from millrace_core.names import ExchangeId
from millrace_core.requests import CancelPayload, EditPayload
from millrace_exchange import IncompleteList, Rejected, Retryable
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.ccxt.history import HistoryReader, Page
from millrace_exchange.order_ids import ClientOrderIds
from millrace_exchange.profile import ExchangeProfile, History, HistoryWindow
from millrace_exchange.request_gate import RequestGate

SYMBOL = "A/B"
NO_PARAMS: Mapping[str, int] = MappingProxyType({})


class Answers:
    """What ccxt answers."""

    markets: Mapping[str, Any] = MappingProxyType({SYMBOL: {}})

    def __init__(self, trades: Sequence[int] = (), *, width_ms: int = 1, newest: bool = False) -> None:
        self.asked: list[int | None] = []
        self._trades, self._width_ms, self._newest = trades, width_ms, newest

    async def fetch_order(self, *_: Any) -> dict[str, Any]:
        """Return what ccxt makes of a body that was cut short."""
        return {"id": None, "symbol": SYMBOL, "info": {}}

    async def fetch_open_orders(self, symbol: str, *_: Any) -> list[dict[str, Any]]:
        """Return two open orders."""
        return [
            {"id": str(n), "symbol": symbol, "clientOrderId": f"ours-{n}", "status": "open", "info": {}} for n in (1, 2)
        ]

    async def cancel_order(self, order_id: str, symbol: str, params: dict[str, Any]) -> dict[str, Any]:
        """Cancel an order by the exchange's id alone."""
        assert not params
        return {"id": order_id, "symbol": symbol, "status": "canceled", "info": {"orderId": order_id}}

    async def fetch_my_trades(
        self, symbol: str, since_ms: int | None = None, limit: int = 100, params: Mapping[str, int] = NO_PARAMS
    ) -> list[dict[str, Any]]:
        """Return the trades of one span, as an exchange with history windows does; without a time the last ones."""
        self.asked.append(since_ms)
        start_ms = now_ms() - self._width_ms if since_ms is None else since_ms
        end_ms = min(start_ms + self._width_ms, params.get("until", start_ms + self._width_ms))
        found = [at for at in self._trades if start_ms <= at <= end_ms]
        page = found[-limit:] if self._newest else found[:limit]
        return [
            {"id": str(at), "timestamp": at, "symbol": symbol, "side": "buy", "price": 1.0, "amount": 1.0, "order": "o"}
            for at in page
        ]


BY_OUR_ID = ClientOrderIds(fetches=True)
NOTHING = HistoryWindow()


def client(ccxt: Answers, window: HistoryWindow = NOTHING, ids: ClientOrderIds = BY_OUR_ID) -> CcxtExecutionClient:
    """Return the port over these answers."""
    profile = ExchangeProfile(
        exchange=ExchangeId("x"),
        edit="amend",
        edit_amount="total",
        history=History(own_trades=window),
        client_order_ids=ids,
    )
    return CcxtExecutionClient(
        CcxtCaller(ccxt, profile, RequestGate(profile), has_keys=True, poll_interval_s=1.0, another=pytest.fail)
    )


async def test_an_answer_without_an_id_does_not_prove_an_order() -> None:
    """Ccxt makes an order without an id of a body that was cut short: it can be asked for again."""
    with pytest.raises(Retryable):
        await client(Answers()).fetch_order(SYMBOL, client_order_id="ours")


async def test_own_trades_are_found_beyond_the_first_span() -> None:
    """An answer that spans seven days is followed by the next, up to now; those too long ago are not asked for."""
    now = now_ms()
    recent, older, too_old = now - 1_000, now - 20 * DAY_MS, now - 200 * DAY_MS
    ccxt = Answers([too_old, older, recent], width_ms=7 * DAY_MS)
    window = HistoryWindow(reach_ms=90 * DAY_MS, width_ms=7 * DAY_MS)
    trades = await client(ccxt, window).fetch_my_trades(SYMBOL, now - 365 * DAY_MS)
    assert [trade.timestamp for trade in trades] == [older, recent]
    assert min(asked for asked in ccxt.asked if asked is not None) >= now - 90 * DAY_MS


async def test_one_question_does_where_the_newest_trades_reach_back() -> None:
    """An old trade alone does not make it ask for every week since."""
    now = now_ms()
    ccxt = Answers([now - 6 * DAY_MS, now - DAY_MS], width_ms=7 * DAY_MS)
    trades = await client(ccxt, HistoryWindow(width_ms=7 * DAY_MS)).fetch_my_trades(SYMBOL, now - 5 * DAY_MS)
    assert [trade.timestamp for trade in trades] == [now - DAY_MS]
    assert len(ccxt.asked) == 1


@pytest.mark.parametrize(("full_page", "newest"), [("newest", True), ("unknown", False), ("unknown", True)])
@pytest.mark.parametrize("width_ms", [None, 7 * DAY_MS])
async def test_a_full_answer_is_asked_on_from(full_page: Any, newest: bool, width_ms: int | None) -> None:
    """Whichever end of a span a full answer holds, the rest of it is asked for too, each trade once."""
    now = now_ms()
    times = [now - 60_000 + 100 * number for number in range(23)]
    ccxt = Answers(times, width_ms=width_ms or 365 * DAY_MS, newest=newest)
    window = HistoryWindow(width_ms=width_ms, page=5, full_page=full_page)
    trades = await client(ccxt, window).fetch_my_trades(SYMBOL, now - DAY_MS)
    assert [trade.timestamp for trade in trades] == times


@pytest.mark.parametrize("full_page", ["newest", "unknown"])
async def test_a_full_answer_that_nothing_follows_is_a_part(full_page: Any) -> None:
    """More trades of one ms than an answer holds, or an exchange that ignores from when it is asked: more may exist."""
    at = now_ms() - 60_000
    answer = [
        Trade(id=str(number), timestamp=at, symbol=SYMBOL, side="buy", price=1.0, amount=1.0) for number in range(5)
    ]

    async def ask(*_: Any) -> Page[Trade]:
        return Page(answer, len(answer))

    window = HistoryWindow(page=5, full_page=full_page)
    about = {"exchange": "x", "action": "fetchMyTrades"}
    reader = HistoryReader(window, ask, lambda trade: trade.id, lambda rows: IncompleteList(rows, **about))
    with pytest.raises(IncompleteList) as caught:
        await reader.since(at - DAY_MS, now_ms())
    assert caught.value.rows == answer


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


async def test_an_edit_to_less_than_was_filled_is_rejected() -> None:
    """A replacement of no or a negative amount is never sent."""
    filled = Answers()
    found: dict[str, Any] = {"id": "1", "symbol": SYMBOL, "side": "buy", "status": "open", "info": {"id": 1}}
    found |= {"amount": 10.0, "filled": 4.0}
    filled.fetch_order = AsyncMock(return_value=found)
    profile = ExchangeProfile(
        exchange=ExchangeId("x"), client_order_ids=BY_OUR_ID, edit="amend", edit_amount="remaining"
    )
    account = CcxtExecutionClient(
        CcxtCaller(filled, profile, RequestGate(profile), has_keys=True, poll_interval_s=1.0, another=pytest.fail)
    )
    with pytest.raises(Rejected, match="4 are filled"):
        await account.edit_order(EditPayload(symbol=SYMBOL, order_id="1", amount_base=Decimal(4)), "new")
