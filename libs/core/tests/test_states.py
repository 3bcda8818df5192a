import msgspec
import pytest

from millrace_core.errors import InvalidMessage
from millrace_core.messages import encode
from millrace_core.names import Action
from millrace_core.orders import Order
from millrace_core.states import BookState, EventsState, OrdersState, TradesState, state_of

AS_OF = "17-3"
CASES = [
    (
        "watchOrderBook",
        {"bids": [[10.0, 1.0]], "asks": [[11.0, 1.0]], "nonce": 4, "asOf": AS_OF, "checksum": 0},
        {"bids": [[10.0, 0.0], [9.0, 2.0]], "asks": []},
        lambda state: (state.book.bids.levels(), state.book.asks.levels()),
        ([(9.0, 2.0)], [(11.0, 1.0)]),
    ),
    (
        "watchTrades",
        {
            "trades": [{"id": "1", "timestamp": 1, "symbol": "S", "side": "buy", "price": 1.0, "amount": 2.0}],
            "asOf": AS_OF,
        },
        {"trades": [{"id": "2", "timestamp": 2, "symbol": "S", "side": "sell", "price": 1.5, "amount": 2.0}]},
        lambda state: [trade.id for trade in state.trades],
        ["1", "2"],
    ),
    (
        "watchOrders",
        {"orders": [{"id": "1", "status": "open"}, {"id": "2", "status": "open"}], "asOf": AS_OF},
        {"orders": [{"id": "1", "status": "closed"}, {"id": "3", "status": "open"}]},
        lambda state: sorted(state.open),
        ["2", "3"],
    ),
    (
        "watchBalance",
        {"USDT": {"free": 1.0, "used": 0.0, "total": 1.0}, "BTC": {"free": 2.0}, "asOf": AS_OF},
        {"USDT": {"free": 0.5, "used": 0.5, "total": 1.0}},
        lambda state: {code: balance.free for code, balance in state.balances.items()},
        {"USDT": 0.5, "BTC": 2.0},
    ),
    (
        "watchPositions",
        {
            "positions": [{"symbol": "A", "side": "long", "contracts": 1.0}, {"symbol": "B", "contracts": 2.0}],
            "asOf": AS_OF,
        },
        {"positions": [{"symbol": "A", "side": "long"}, {"symbol": "A", "side": "short", "contracts": 3.0}]},
        lambda state: {key[:2]: position.contracts for key, position in state.open.items()},
        {("B", None): 2.0, ("A", "short"): 3.0},
    ),
    (
        "watchLiquidations",
        {"liquidations": [{"symbol": "S", "timestamp": 1, "price": 2.0}], "asOf": AS_OF},
        {"liquidations": [{"symbol": "S", "timestamp": 1, "price": 2.0}]},
        lambda state: [liquidation.price for liquidation in state.liquidations],
        [2.0, 2.0],
    ),
    (
        "watchTicker",
        {"last": 1, "bid": 2, "ask": 4, "asOf": AS_OF},
        {"last": 3, "ask": None},
        lambda state: state.fields,
        {"last": 3, "bid": 2},
    ),
    (
        "watchOHLCV",
        {"timeframes": {"1m": [[0, 1.0, 1.0, 1.0, 1.0, 5.0]]}, "asOf": AS_OF},
        {"timeframe": "1m", "candles": [[0, 1.0, 2.0, 1.0, 2.0, 6.0], [60, 2.0, 2.0, 2.0, 2.0, 1.0]]},
        lambda state: [candle[5] for candle in state.timeframes["1m"].values()],
        [6.0, 1.0],
    ),
]


@pytest.mark.parametrize(("action", "snapshot", "delta", "view", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_a_snapshot_and_a_delta_add_up(action, snapshot, delta, view, wanted) -> None:  # type: ignore[no-untyped-def]
    """A state is the sum of its snapshot and deltas, and knows the last message in it."""
    state = state_of(Action(action))
    assert state.reset(msgspec.Raw(msgspec.json.encode(snapshot))) == (17, 3)
    state.apply(msgspec.Raw(msgspec.json.encode(delta)))
    assert view(state) == wanted


@pytest.mark.parametrize("action", [case[0] for case in CASES])
def test_foreign_data_is_an_error_of_ours(action: str) -> None:
    """Whatever was written by mistake, a reader gets one kind of error."""
    state = state_of(Action(action))
    with pytest.raises(InvalidMessage):
        state.apply(msgspec.Raw(b'"text"'))


def test_a_wrong_checksum_and_a_crossed_book_are_flaws() -> None:
    """A book that can be proven wrong says why."""
    state = BookState()
    state.reset(msgspec.Raw(b'{"bids":[[10,1]],"asks":[[11,1]],"asOf":"1-0","checksum":1}'))
    assert state.flaw() == "the checksum does not match"
    good = state.book.checksum()
    state.apply(msgspec.Raw(encode({"bids": [], "asks": [], "checksum": good})))
    assert state.flaw() is None
    state.apply(msgspec.Raw(b'{"bids":[[11,1]],"asks":[]}'))
    assert state.flaw() == "the book is crossed"


def test_only_the_newest_thousand_trades_are_kept() -> None:
    """A reader's memory is bounded."""
    state = TradesState()
    trade = {"timestamp": 1, "symbol": "S", "side": "buy", "price": 1.0, "amount": 2.0}
    state.apply(msgspec.Raw(encode({"trades": [trade | {"id": str(number)} for number in range(1_500)]})))
    assert (len(state.trades), state.trades[0].id, state.trades[-1].id) == (1_000, "500", "1499")


def test_answers_add_up_to_nothing() -> None:
    """Each answer stands for itself."""
    state = state_of(Action("createOrder"))
    assert isinstance(state, EventsState)
    assert state.apply(msgspec.Raw(b'{"requestId":"x"}')) == {"requestId": "x"}


def test_orders_are_whole() -> None:
    """An order in the state is the order of the last message about it."""
    state = OrdersState()
    state.apply(
        msgspec.Raw(encode({"orders": [Order(id="1", status="open"), Order(id="1", status="open", symbol="S")]}))
    )
    assert state.open["1"].symbol == "S"


@pytest.mark.parametrize("action", ["watchOrderBook", "watchTrades", "watchOrders", "watchBalance", "watchOHLCV"])
@pytest.mark.parametrize(
    "data",
    [
        b'{"bids":[],"asks":[],"checksum":0,"trades":[],"orders":[],"timeframes":{},"asOf":"yesterday"}',
        b'{"asOf":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_snapshot_that_cannot_be_read_is_an_invalid_message(action: str, data: bytes) -> None:
    """A wrong `asOf`, broken UTF-8 and endless nesting all raise the one error that readers handle."""
    with pytest.raises(InvalidMessage):
        state_of(Action(action)).reset(msgspec.Raw(data))
