from __future__ import annotations

from decimal import Decimal

import pytest

from millrace_simulator.venue import (
    Account,
    AccountSettings,
    AggregateTrade,
    BalanceChange,
    BookChange,
    ExecutionReport,
    Instrument,
    Listener,
    ManualClock,
    PublicTrade,
    SymbolRules,
    Venue,
)

RULES = SymbolRules(
    symbol="KCSUSDT",
    base="KCS",
    quote="USDT",
    tick_size=Decimal("0.001"),
    lot_size=Decimal("0.01"),
    opening_price=Decimal("12.500"),
    max_orders=5,
    max_algo_orders=2,
)


class _Recorder(Listener):
    """Keeps everything that it receives."""

    def __init__(self) -> None:
        self.books: list[BookChange] = []
        self.trades: list[PublicTrade] = []
        self.aggregates: list[AggregateTrade] = []
        self.reports: list[ExecutionReport] = []
        self.balances: list[BalanceChange] = []
        self.steps: list[int] = []

    def on_book(self, change: BookChange) -> None:
        self.books.append(change)

    def on_trade(self, trade: PublicTrade) -> None:
        self.trades.append(trade)

    def on_aggregate(self, aggregate: AggregateTrade) -> None:
        self.aggregates.append(aggregate)

    def on_execution(self, report: ExecutionReport) -> None:
        self.reports.append(report)

    def on_balances(self, change: BalanceChange) -> None:
        self.balances.append(change)

    def on_step(self, now_us: int) -> None:
        self.steps.append(now_us)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def venue(clock: ManualClock) -> Venue:
    """One symbol, two accounts with 1,000 USDT and 100 KCS each, an empty book, everything recorded."""
    rich = {"USDT": Decimal(1000), "KCS": Decimal(100)}
    accounts = [
        AccountSettings(api_key="alice", secret="a", balances=rich),
        AccountSettings(api_key="bob", secret="b", balances=rich, maker_rate=Decimal(0)),
    ]
    return Venue([RULES], accounts, clock=clock, record=True)


@pytest.fixture
def alice(venue: Venue) -> Account:
    """An account with the usual fees."""
    return venue.account_by_key("alice")


@pytest.fixture
def bob(venue: Venue) -> Account:
    """An account that makes for free."""
    return venue.account_by_key("bob")


@pytest.fixture
def kcs(venue: Venue) -> Instrument:
    """The venue's only symbol."""
    return venue.instrument("KCSUSDT")


@pytest.fixture
def received(venue: Venue) -> _Recorder:
    """All that the venue tells from the test's beginning on."""
    recorder = _Recorder()
    venue.listen(recorder)
    return recorder
