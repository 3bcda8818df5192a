"""Limits on what an account holds and has open, on facts that are written down."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from millrace_core.book import OrderBook
from millrace_core.config import OrderLimits, RiskLimits
from millrace_core.market_terms import MarketTerms
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_executor.risk.books import TrustedBook
from millrace_executor.risk.checks import Approved, Bound, Facts, RiskRejection, decide
from millrace_executor.risk.terms import Terms

SPOT = MarketTerms("KCS", "USDT")
REQUEST = CreateOrder(
    exchange_id="binance",
    payload=CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(2), price=Decimal(10)),
)
BUY = Terms(
    "KCS/USDT", "buy", is_market=False, amount=Decimal(2), quote=None, price=Decimal(10), trigger=None, source="A"
)
SALE = replace(BUY, side="sell")
_LEVELS = OrderBook()
_LEVELS.replace([(9.9, 5)], [(10.1, 5)], None)
BOOK = TrustedBook(_LEVELS, 9.9, 10.1)


@dataclass
class Holding:
    """What an account has open, and holds of every currency without the order."""

    orders: int = 0
    held: Decimal = Decimal(0)
    asked: str = ""

    def open_orders(self) -> int:
        """Return how many orders are open."""
        return self.orders

    def holding(self, currency: str, *, adding: Decimal, side: str) -> Decimal:
        """Return what is held once an order has added to it."""
        self.asked = side
        return self.held + adding


def judged(
    terms: Terms,
    limits: OrderLimits,
    holding: Holding | None = None,
    *,
    market: MarketTerms = SPOT,
    book: TrustedBook | None = None,
    **bound: Any,
) -> Approved | RiskRejection:
    facts = Facts(terms, 1_000_000, market, book, no_book="nobody watches")
    return decide(REQUEST, [Bound("", limits, exposure=holding, **bound)], facts)


def refusal(decision: Approved | RiskRejection) -> str:
    assert isinstance(decision, RiskRejection)
    return decision.reason


def test_an_order_is_a_duplicate_for_as_long_as_the_limit_says() -> None:
    """What is refused may be sent a moment later; the limit is not one of the account."""
    limits = RiskLimits(duplicate_window_ms=1_000)
    decision = judged(BUY, limits, duplicate_of_ms=300)
    assert "sent 300 ms ago; it may be sent in 700 ms" in refusal(decision)
    assert isinstance(decision, RiskRejection) and not decision.is_of_account
    assert all(isinstance(judged(BUY, limits, duplicate_of_ms=age_ms), Approved) for age_ms in (1_000, 1_001))
    assert isinstance(judged(BUY, limits), Approved)
    assert isinstance(judged(BUY, RiskLimits(), duplicate_of_ms=1), Approved)


@pytest.mark.parametrize(("orders", "passes"), [(2, True), (3, False), (4, False)])
def test_an_account_may_have_so_many_open_orders(orders: int, passes: bool) -> None:
    """This one would be one more; an edit makes none."""
    limits, holding = RiskLimits(max_open_orders=3), Holding(orders)
    decision = judged(BUY, limits, holding)
    assert isinstance(decision, Approved) == passes
    assert passes or f"maxOpenOrders is 3, and {orders} orders are open" in refusal(decision)
    assert isinstance(decision, Approved) or decision.is_of_account
    assert isinstance(judged(replace(BUY, replaces="7"), limits, holding), Approved)
    assert isinstance(judged(BUY, limits), Approved) and isinstance(judged(BUY, RiskLimits(), holding), Approved)


@pytest.mark.parametrize(
    ("terms", "limit", "held", "room"),
    [
        (BUY, {"KCS": 12}, "9", None),  # 2 KCS more
        (BUY, {"KCS": 12}, "10", None),
        (BUY, {"KCS": 12}, "10.5", "1.5"),
        (BUY, {"KCS": 12}, "13", "0"),
        (SALE, {"USDT": 120}, "100", None),  # 20 USDT more
        (SALE, {"USDT": 120}, "110", "10"),
        (SALE, {"USDT": 120}, "121", "0"),
    ],
)
def test_a_position_may_grow_up_to_its_limit(terms: Terms, limit: dict[str, int], held: str, room: str | None) -> None:
    """A purchase adds base currency, a sale quote currency; what would have passed is given."""
    limits = RiskLimits(max_position={code: Decimal(most) for code, most in limit.items()})
    holding = Holding(held=Decimal(held))
    decision = judged(terms, limits, holding, book=BOOK)
    if room is None:
        assert isinstance(decision, Approved)
    else:
        assert f"an order that adds {room} would pass" in refusal(decision)
        assert isinstance(decision, RiskRejection) and decision.is_of_account
    assert holding.asked == terms.side
    if terms is SALE:
        other = judged(terms, limits, holding, book=BOOK, market=MarketTerms("XRP", "USDT"))
        assert isinstance(other, Approved) == (room is None), "whatever is sold"


@pytest.mark.parametrize("terms", [BUY, SALE])
@pytest.mark.parametrize("code", ["AAA", "LLL", "ZZZ"])
def test_an_order_adds_to_its_own_currencies_alone(terms: Terms, code: str) -> None:
    """A purchase takes quote currency away, a sale base currency, and others it leaves alone."""
    taken = "USDT" if terms.side == "buy" else "KCS"
    for currency in (code, taken):
        limits = RiskLimits(max_position={currency: Decimal(1)})
        assert isinstance(judged(terms, limits, Holding(held=Decimal(99)), book=BOOK), Approved)


@pytest.mark.parametrize("terms", [BUY, SALE])
def test_contracts_add_base_currency_on_either_side(terms: Terms) -> None:
    """2 of 10 KCS each; nothing of the quote currency is received."""
    market = MarketTerms("KCS", "USDT", is_contract=True, contract_size=Decimal(10))
    limits = RiskLimits(max_position={"KCS": Decimal(20)})
    assert isinstance(judged(terms, limits, Holding(), market=market), Approved)
    assert "it could be 21" in refusal(judged(terms, limits, Holding(held=Decimal(1)), market=market))
    limits = RiskLimits(max_position={"USDT": Decimal(1)})
    assert isinstance(judged(terms, limits, Holding(held=Decimal(99)), market=market), Approved)


def test_what_only_reduces_a_position_is_not_held_back() -> None:
    """Whatever is held."""
    limits = RiskLimits(max_position={"KCS": Decimal(1)})
    assert isinstance(judged(replace(BUY, is_reducing=True), limits, Holding(held=Decimal(99))), Approved)
    assert isinstance(judged(BUY, limits), Approved)  # nobody needs to know what is held


def test_each_position_that_cannot_be_measured_is_named() -> None:
    """A market order by quote currency adds what only a book tells."""
    terms = replace(BUY, is_market=True, amount=None, quote=Decimal(20), price=None)
    limits = RiskLimits(max_position={"KCS": Decimal(100), "USDT": Decimal(100)})
    reason = refusal(judged(terms, limits, Holding()))
    assert "maxPosition.KCS is 100, which cannot be checked" in reason and reason.endswith(": nobody watches")
    unknown = replace(BUY, amount=None)
    both = RiskLimits(max_position={"KCS": Decimal(1), "USDT": Decimal(1)})
    assert "maxPosition.KCS" in refusal(judged(unknown, both, Holding()))


@pytest.mark.parametrize("market", [SPOT, MarketTerms("KCS", "USDT", is_contract=True)])
def test_an_edit_of_an_order_of_unknown_side_may_add_to_either_currency(market: MarketTerms) -> None:
    """It is refused where one of them is limited, and told what to name."""
    unknown = replace(BUY, side=None, replaces="7")
    for code in ("KCS", "USDT"):
        limits = RiskLimits(max_position={code: Decimal(100)})
        assert refusal(judged(unknown, limits, Holding(), market=market)).endswith("name its side")
    assert isinstance(judged(unknown, RiskLimits(max_position={"BTC": Decimal(1)}), Holding(), market=market), Approved)


def test_an_edit_that_leaves_nothing_open_adds_nothing() -> None:
    """However much is held: all of the amount that is wanted was filled."""
    limits = RiskLimits(max_position={"KCS": Decimal(1)})
    edit = replace(BUY, amount=Decimal(0), replaces="7")
    assert isinstance(judged(edit, limits, Holding(held=Decimal(99))), Approved)


def test_a_long_number_is_rounded_to_twelve_digits() -> None:
    """One of 18 digits is given whole."""
    limits = RiskLimits(max_position={"KCS": Decimal(1)})
    numbers = {
        "1E-13": "2.0000000000001",
        "1E-17": "2.00000000000000001",
        "1E-18": "2",
        "123456789012345678": "123456789012345680",
    }
    for held, text in numbers.items():
        assert f"it could be {text};" in refusal(judged(BUY, limits, Holding(held=Decimal(held))))


def test_a_refused_rate_says_when_the_next_may_be_sent() -> None:
    """The order counts that must leave the window for it."""
    limits = RiskLimits(max_orders_per_second=2)
    sent = (998_000, 999_100, 999_400, 999_700)
    reason = refusal(judged(BUY, limits, sent_ms=sent))
    assert reason == "maxOrdersPerSecond is 2, and 3 were sent in the last 1000 ms; the next may be sent in 400 ms"
    assert isinstance(judged(BUY, limits, sent_ms=(999_000, 999_001)), Approved)  # the first has left just now
