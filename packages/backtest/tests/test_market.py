"""Whatever the market does and strategies ask for: no fill is beyond what there was, and nothing is left over."""

from hypothesis import example, given
from hypothesis import strategies as st

from millrace_backtest.exchange.market import OWNER, RecordedMarket
from millrace_backtest.exchange.units import PLACES, level_units
from millrace_core.market import Level
from millrace_matching import Event, NewOrder, OrderType, SelfTradePrevention, Side, TimeInForce, Traded
from millrace_matching.errors import MatchingError

ONE = 10**PLACES
_PRICES = st.integers(95, 105)
_AMOUNTS = st.integers(0, 9)
_SIDES = st.sampled_from(Side)
_BOOKS = st.tuples(st.just("book"), _SIDES, _PRICES, _AMOUNTS)
_TRADES = st.tuples(st.just("trade"), st.one_of(st.none(), _SIDES), _PRICES, st.integers(1, 9))
_ORDERS = st.tuples(
    st.just("order"),
    _SIDES,
    _PRICES,
    st.integers(1, 9),
    st.sampled_from(["GTC", "IOC", "FOK", "MAKER", "MARKET", "STOP"]),
)
_CANCELS = st.tuples(st.just("cancel"), st.integers(0, 20))
_REDUCTIONS = st.tuples(st.just("reduce"), st.integers(0, 20))


class Account:
    """Counts what our orders got."""

    def __init__(self, market: RecordedMarket) -> None:
        self.market = market
        self.left: dict[int, int] = {}

    def take(self, events: list[Event]) -> int:
        """Count fills; return how much of them our resting orders had."""
        as_maker = 0
        for event in events:
            if isinstance(event, Traded):
                for number in (event.maker_id, event.taker_id):
                    if number in self.left:
                        self.left[number] -= event.quantity
                        assert self.left[number] >= 0
                as_maker += event.quantity if event.maker_id in self.left else 0
        return as_maker


def change(market: RecordedMarket, side: Side, price: int, amount: int) -> list[Event]:
    """Set a level, and remove what it crosses, as no recorded book is crossed."""
    bids, asks = _levels(side, price, amount)
    other = market.book.asks if side is Side.BUY else market.book.bids
    for crossed, _ in other.levels() if amount else ():
        if (crossed <= price) if side is Side.BUY else (crossed >= price):
            (asks if side is Side.BUY else bids).append((crossed, 0.0))
    market.book.apply(bids, asks, None)
    return market.book_changed(bids, asks)


def _levels(side: Side, price: int, amount: int) -> tuple[list[Level], list[Level]]:
    level = [(float(price), float(amount))]
    return (level, []) if side is Side.BUY else ([], level)


def place(account: Account, side: Side, price: int, amount: int, kind: str) -> None:
    """Place an order; what it takes is no more than the recorded other side shows."""
    number = len(account.left) + 1
    account.left[number] = amount * ONE
    types = {"MAKER": OrderType.LIMIT_MAKER, "MARKET": OrderType.MARKET, "STOP": OrderType.STOP_LOSS_LIMIT}
    order = NewOrder(
        number,
        side,
        types.get(kind, OrderType.LIMIT),
        amount * ONE,
        None if kind == "MARKET" else price * ONE,
        time_in_force=TimeInForce(kind) if kind in ("IOC", "FOK") else TimeInForce.GTC,
        trigger_price=price * ONE if kind == "STOP" else None,
        owner=OWNER,
        self_trade_prevention=SelfTradePrevention.EXPIRE_MAKER,
    )
    other = account.market.book.asks if side is Side.BUY else account.market.book.bids
    reached = [
        size
        for at, size in other.levels()
        if kind == "MARKET" or ((at <= price) if side is Side.BUY else (at >= price))
    ]
    shown = sum(map(level_units, reached))
    try:
        events = account.market.submit(order)
    except MatchingError:
        del account.left[number]
        account.left[number] = 0
        return
    account.take(events)
    taken = amount * ONE - account.left[number]
    assert taken <= shown
    assert kind != "FOK" or taken in (0, amount * ONE)
    assert kind != "MAKER" or taken == 0


@example([("order", Side.SELL, 101, 1, "GTC"), ("order", Side.BUY, 101, 9, "GTC")])  # it takes what it stands before
@given(st.lists(st.one_of(_BOOKS, _TRADES, _ORDERS, _CANCELS, _REDUCTIONS), max_size=40))
def test_any_course_of_events(steps: list[tuple[object, ...]]) -> None:
    """Trades fill no more than they were; an order that has ended leaves nothing in the engine."""
    market = RecordedMarket()
    market.book.replace(
        [(price, 5.0) for price in (99.0, 98.0, 96.0)], [(price, 5.0) for price in (101.0, 102.0)], None
    )
    account = Account(market)
    for second, (kind, *rest) in enumerate(steps):
        market.now_ns = second * 300_000_000
        match kind:
            case "book":
                account.take(change(market, *rest))  # type: ignore[arg-type]
            case "trade":
                taker, price, amount = rest
                waited = bool(market._waiting)
                as_maker = account.take(market.traded(float(price), float(amount), taker))  # type: ignore[arg-type]
                assert waited or taker is None or as_maker <= amount * ONE  # type: ignore[operator]
            case "order":
                place(account, *rest)  # type: ignore[arg-type]
            case _:
                _undo(market, account, str(kind), int(rest[0]))  # type: ignore[call-overload]
        _consistent(market)
    for number in list(market.places):
        market.cancel(number)
    assert not market._engine.levels(Side.BUY)
    assert not market._engine.levels(Side.SELL)


def _undo(market: RecordedMarket, account: Account, kind: str, number: int) -> None:
    remaining = market.remaining(number)
    if kind == "cancel" and remaining:
        assert market.cancel(number) == remaining
    elif remaining > ONE:
        market.reduce(number, remaining - ONE)
        account.left[number] -= ONE


def _consistent(market: RecordedMarket) -> None:
    """Our resting orders are where they are thought to be, and no queue is without one."""
    for number, (side, price) in market.places.items():
        assert market.remaining(number) > 0
        assert number in market._queues[side][price].orders
    for queues in market._queues.values():
        assert all(queue.orders for queue in queues.values())
