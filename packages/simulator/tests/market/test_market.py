from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from statistics import mean

import pytest

from millrace_matching import OrderType, Side
from millrace_simulator.market import Market
from millrace_simulator.venue import BookChange, Listener, OrderRequest, OrderStatus, PublicTrade, Venue

Opener = Callable[..., tuple[Venue, Market]]


class _Recorder(Listener):
    """Everything public, in order."""

    def __init__(self) -> None:
        self.events: list[BookChange | PublicTrade] = []
        self.steps = 0

    def on_book(self, change: BookChange) -> None:
        self.events.append(change)

    def on_trade(self, trade: PublicTrade) -> None:
        self.events.append(trade)

    def on_step(self, now_us: int) -> None:
        self.steps += 1


def _run(market: Market, seconds: float, step_ms: int = 10) -> None:
    for _ in range(round(seconds * 1000 / step_ms)):
        market.step(market.now_us + step_ms * 1000)


def _updates(venue: Venue) -> int:
    return sum(instrument.last_update_id for instrument in venue.instruments.values())


def test_the_same_seed_and_steps_make_the_same_market(open_market: Opener) -> None:
    """Every event is decided by the seed and the steps; another seed makes another market."""
    runs = []
    for seed in (1, 1, 2):
        venue, market = open_market("KCSUSDT", "ETHBTC", seed=seed)
        received = _Recorder()
        venue.listen(received)
        _run(market, 5)
        runs.append(received.events)
    assert runs[0] == runs[1]
    assert len(runs[0]) > 100
    assert runs[0] != runs[2]


def test_larger_steps_bring_the_same_book(open_market: Opener) -> None:
    """How time is cut into steps decides when events are seen, not what they are."""
    books = []
    for step_ms in (10, 1000):
        venue, market = open_market("KCSUSDT", "ETHBTC")
        _run(market, 3, step_ms)
        books.append([instrument.depth() for instrument in venue.instruments.values()])
    assert books[0] == books[1]


@pytest.mark.parametrize("wanted", [20, 200, 3_000])
def test_events_come_at_the_rate_wanted(open_market: Opener, wanted: int) -> None:
    """Over all symbols the books change about so often a second, from a few to thousands."""
    venue, market = open_market(events_per_second=wanted)
    before, seconds = _updates(venue), max(4, 2_400 // wanted)
    _run(market, seconds, 50)
    assert (_updates(venue) - before) / seconds == pytest.approx(wanted, rel=0.3)


def test_books_are_deep_at_the_start_and_stay_so(open_market: Opener) -> None:
    """At the opening 100 levels and more a side; later about as many, with a spread of a few ticks."""
    venue, market = open_market(events_per_second=2_000)
    for instrument in venue.instruments.values():
        assert min(len(side) for side in (instrument.depth().bids, instrument.depth().asks)) >= 100
    spreads: dict[str, list[float]] = {symbol: [] for symbol in venue.instruments}
    for _ in range(50):
        _run(market, 0.2, 50)
        for instrument in venue.instruments.values():
            top = instrument.book_ticker()
            assert top.bid < top.ask
            spreads[instrument.symbol].append((top.ask - top.bid) / top.ask)
    for instrument in venue.instruments.values():
        assert min(len(side) for side in (instrument.depth().bids, instrument.depth().asks)) >= 60
        assert mean(spreads[instrument.symbol]) < max(0.0003, 9 / instrument.last_price)


def test_the_middle_of_the_spread_is_filled_soon(open_market: Opener) -> None:
    """At the usual speed, post-only orders in the middle of the spread find takers within a few seconds."""
    venue, market = open_market()
    kcs, account = venue.instrument("KCSUSDT"), venue.account_by_key("demo-key")
    waits = []
    for turn in range(20):
        side = Side.BUY if turn % 2 else Side.SELL
        top = kcs.book_ticker()
        while top.ask - top.bid < 2:
            _run(market, 0.01)
            top = kcs.book_ticker()
        middle = kcs.scale.price((top.bid + top.ask) // 2)
        request = OrderRequest(
            symbol="KCSUSDT", side=side, type=OrderType.LIMIT_MAKER, quantity=Decimal(1), price=middle
        )
        begun_us = market.now_us
        venue.place(account, request)
        while venue.open_orders(account) and market.now_us - begun_us < 5_000_000:
            _run(market, 0.05)
        waits.append((market.now_us - begun_us) / 1_000_000)
        if venue.open_orders(account):
            venue.cancel_all(account, "KCSUSDT")
    assert sorted(waits)[len(waits) // 2] < 1.5


def test_a_book_that_was_hit_recovers(open_market: Opener) -> None:
    """After a large order has emptied twenty levels, the spread is narrow again within seconds."""
    venue, market = open_market("KCSUSDT", events_per_second=50)
    kcs, account = venue.instrument("KCSUSDT"), venue.account_by_key("demo-key")
    taken = sum(quantity for _, quantity in kcs.depth(20).asks)
    request = OrderRequest(symbol="KCSUSDT", side=Side.BUY, type=OrderType.MARKET, quantity=kcs.scale.quantity(taken))
    assert venue.place(account, request).order.status is OrderStatus.FILLED
    assert kcs.book_ticker().ask - kcs.book_ticker().bid > 20
    _run(market, 3)
    assert kcs.book_ticker().ask - kcs.book_ticker().bid < 12


def test_prices_move_and_agree_across_symbols(open_market: Opener) -> None:
    """In minutes the middle moves, and ETH/BTC stays what ETH/USDT and BTC/USDT make it."""
    venue, market = open_market("BTCUSDT", "ETHUSDT", "ETHBTC")

    def middle(symbol: str) -> float:
        top = venue.instrument(symbol).book_ticker()
        return float(venue.instrument(symbol).scale.price(top.bid + top.ask) / 2)

    opening = middle("BTCUSDT")
    seen = set()
    for _ in range(60):
        _run(market, 2, 100)
        seen.add(middle("BTCUSDT"))
        assert middle("ETHUSDT") / middle("BTCUSDT") == pytest.approx(middle("ETHBTC"), rel=0.003)
    assert len(seen) > 50
    assert max(abs(value / opening - 1) for value in seen) > 0.0001


def test_a_paused_market_stands_still_but_steps_go_on(open_market: Opener) -> None:
    """While paused nothing changes, steps are reported, and afterwards there is no backlog."""
    venue, market = open_market("KCSUSDT")
    received = _Recorder()
    venue.listen(received)
    market.paused = True
    _run(market, 10)
    assert (received.events, received.steps) == ([], 1_000)
    market.paused = False
    _run(market, 0.01)
    assert len(received.events) < 50


def test_speed_can_be_changed_on_the_way(open_market: Opener) -> None:
    """A new rate holds from the next step on; 0 is silence."""
    venue, market = open_market("KCSUSDT", events_per_second=0)
    before = _updates(venue)
    _run(market, 2)
    assert _updates(venue) == before
    market.events_per_second = 500
    _run(market, 4)
    assert (_updates(venue) - before) / 4 == pytest.approx(500, rel=0.3)
