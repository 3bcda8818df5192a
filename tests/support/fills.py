"""Random fills from the simulator's own venue, and what they add up to by a count that shares nothing with the store's.

The venue charges fees in the currency that was received. Exchanges let accounts pay in a currency of their own
instead: for some of the fills the fee is in BNB, with 18 decimals, or as much of it as there was of BNB, and for some
hours BNB has no price.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import NamedTuple

from millrace_core.decimals import number
from millrace_core.market import Candle, Fee, Trade
from millrace_matching import OrderType, Side, TimeInForce
from millrace_simulator.venue import AccountSettings, ManualClock, OrderRequest, OwnTrade, SymbolRules, Venue

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SYMBOL = "KCS/USDT"
UNKNOWN_EACH = 7
"""One of so many orders belongs to no known request."""
STRATEGIES = ("A", "B", "C")
_RULES = SymbolRules(
    symbol="KCSUSDT",
    base="KCS",
    quote="USDT",
    tick_size=Decimal("0.001"),
    lot_size=Decimal("0.01"),
    opening_price=Decimal("12.500"),
)
_RATE = Decimal("0.00075")


class Paid(NamedTuple):
    """A fill of the venue, and its fees as they were charged."""

    trade: OwnTrade
    fees: tuple[tuple[Decimal, str], ...]
    """What was charged in each currency."""

    @property
    def at_ms(self) -> int:
        """When it was made."""
        return self.trade.time_us // 1_000

    @property
    def order(self) -> int:
        """Its order."""
        return self.trade.order_id

    @property
    def amount(self) -> Decimal:
        """What was bought; below zero if it was sold."""
        return self.trade.quantity if self.trade.side is Side.BUY else -self.trade.quantity

    @property
    def source(self) -> str | None:
        """The strategy that placed its order; None for no known request."""
        return None if self.order % UNKNOWN_EACH == 0 else STRATEGIES[self.order % len(STRATEGIES)]

    def as_reported(self) -> Trade:
        """Return it as a gatherer publishes it."""
        trade = self.trade
        fees = tuple(Fee(currency, number(str(cost))) for cost, currency in self.fees)
        charged = {"fee": fees[0]} if len(fees) == 1 else {"fees": fees}
        numbers = (float(trade.price), float(trade.quantity))
        side = "buy" if trade.side is Side.BUY else "sell"
        return Trade(str(trade.trade_id), self.at_ms, SYMBOL, side, *numbers, order=str(self.order), **charged)  # type: ignore[arg-type]


def random_fills(random: Random, count: int) -> list[Paid]:
    """Let an account trade at random until it has so many fills; return them in the venue's order."""
    rich = {"USDT": Decimal("1e12"), "KCS": Decimal("1e12")}
    clock = ManualClock()
    settings = AccountSettings(api_key="k", secret="s", balances=rich, maker_rate=_RATE, taker_rate=_RATE)
    venue = Venue([_RULES], [settings], clock=clock)
    account, market, made = venue.account_by_key("k"), venue.instrument("KCSUSDT"), list[Paid]()
    while len(made) < count:
        clock.reach(clock.now_us() + random.randrange(120_000_000))
        side = random.choice([Side.BUY, Side.SELL])
        other = Side.SELL if side is Side.BUY else Side.BUY
        for _ in range(random.randrange(1, 5)):
            venue.crowd_submit(market, other, random.randrange(50, 50_000), random.randrange(9_000, 15_000))
        price = Decimal("15.500" if side is Side.BUY else "8.500")
        quantity = Decimal(random.randrange(100, 100_000)) / 100
        request = OrderRequest(
            symbol="KCSUSDT",
            side=side,
            type=OrderType.LIMIT,
            quantity=quantity,
            price=price,
            time_in_force=TimeInForce.IOC,
        )
        made += [_paid(random, trade) for trade in venue.place(account, request).trades]
    return made[:count]


def _paid(random: Random, trade: OwnTrade) -> Paid:
    in_token, received = (Decimal(random.randrange(1, 10**18)).scaleb(-18), "BNB"), trade.commission_asset
    if (kind := random.randrange(6)) < 2:
        return Paid(trade, (in_token,) if kind else (in_token, (trade.commission, received)))
    return Paid(trade, ((trade.commission, received),))


def random_candles(random: Random, fills: list[Paid]) -> list[Candle]:
    """Return BNB's minutes, three hours of every six."""
    candles, price = list[Candle](), 60_000
    for at_ms in range(fills[0].at_ms // MINUTE_MS * MINUTE_MS, fills[-1].at_ms, MINUTE_MS):
        price += random.randrange(-50, 51)
        if at_ms % (6 * HOUR_MS) < 3 * HOUR_MS:
            candles.append((at_ms, *[price / 100] * 4, 1.0))
    return candles


class Account:
    """The count of one strategy's fills, in fractions."""

    def __init__(self) -> None:
        self.held = self.average = self.cash = self.fees = self.unvalued = Fraction(0)
        self.trades = 0

    @property
    def cost(self) -> Fraction:
        """What the holding cost, cut after 24 decimals."""
        exact = self.held * self.average * 10**24
        return Fraction(abs(exact.numerator) // exact.denominator, 10**24) * (-1 if exact < 0 else 1)

    @property
    def profit(self) -> Fraction:
        """What came in less what went out, and the cost of what is still held."""
        return self.cash + self.cost

    def fill(
        self, amount: Decimal, price: Decimal, fees: Iterable[tuple[Decimal, str]], bnb: Fraction | None = None
    ) -> None:
        """Count a fill, of an amount below zero for a sale; `bnb` is the price of its minute."""
        quantity, value = Fraction(amount), Fraction(price) * Fraction(amount)
        self.trades += 1
        self.cash -= value
        for fee, currency in fees:
            charged = Fraction(fee)
            if currency == "KCS":
                quantity -= charged
                self.fees += charged * Fraction(price)
            elif currency == "BNB" and bnb is None:
                self.unvalued += charged
            else:
                worth = charged if bnb is None or currency == "USDT" else charged * bnb
                self.cash -= worth
                self.fees += worth
        self._move(quantity, value)

    def _move(self, quantity: Fraction, value: Fraction) -> None:
        if self.held * quantity >= 0:
            cost = self.cost + value
            self.held += quantity
            self.average = cost / self.held
            return
        turns = abs(quantity) > abs(self.held)
        self.held += quantity
        if turns:
            self.average = value / quantity


def counted(fills: list[Paid], candles: list[Candle]) -> Iterator[tuple[Paid, str | None, Account]]:
    """Count fills by strategy; return after each one whose it was, and the count."""
    closes = {at_ms: Fraction(Decimal(repr(close))) for at_ms, _, _, _, close, _ in candles}
    accounts: dict[str | None, Account] = {}
    for paid in fills:
        minute = paid.at_ms // MINUTE_MS * MINUTE_MS
        within_an_hour = (closes.get(minute - MINUTE_MS * back) for back in range(61))
        account = accounts.setdefault(paid.source, Account())
        bnb = next((close for close in within_an_hour if close is not None), None)
        account.fill(paid.amount, paid.trade.price, paid.fees, bnb)
        yield paid, paid.source, account
