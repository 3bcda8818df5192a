"""What an account could come to hold never falls below what it does hold, whatever ends when."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from millrace_core.market import Balance, Balances, ExchangePosition
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import RequestError, Response
from millrace_core.orders import Order
from millrace_exchange import Retryable
from millrace_executor.risk import exposure as module
from millrace_executor.risk.exposure import AccountExposure, BoundExposure, PlacedOrder

SPOT = MarketTerms("KCS", "USDT")
PERPETUAL = MarketTerms("BTC", "USDT", True, Decimal("0.001"))


class ReportedExchange:
    """An exchange's answers, written down: what is tested is what is made of them."""

    def __init__(self) -> None:
        self.id = "binance"
        self.execution = self.account = self.rules = self
        self.open: Sequence[Order] = ()
        self.balances: Balances = {}
        self.positions: list[ExchangePosition] = []

    async def fetch_open_orders(self) -> list[Order]:
        """Return what is open."""
        return list(self.open)

    async def fetch_balance(self) -> Balances:
        """Return the balances."""
        return self.balances

    async def fetch_positions(self) -> list[ExchangePosition]:
        """Return the positions."""
        return self.positions

    def terms(self, symbol: str) -> MarketTerms:
        """Return those of a spot market, or of a perpetual."""
        return PERPETUAL if ":" in symbol else SPOT


def placed(side: str = "buy", base: str = "5", quote: str = "50", **others: Any) -> PlacedOrder:
    return PlacedOrder("KCS/USDT", side, Decimal(base), Decimal(quote), SPOT, **others)


def order(number: str, status: str, filled: str = "0", **others: Any) -> Order:
    return Order(id=number, symbol="KCS/USDT", status=status, filled=Decimal(filled), **others)


def done(number: str, status: str, filled: str = "0", **others: Any) -> Response:
    return Response("r", "done", order=order(number, status, filled, **others))


def holding(exposure: AccountExposure, currency: str = "KCS", side: str = "buy", **replaced: Any) -> Decimal:
    return exposure.holding(currency, adding=Decimal(0), side=side, **({"without": None} | replaced))


def exposure_of(reported: Any, source: str | None = None) -> AccountExposure:
    async def source_of(order: Order) -> str | None:
        return source

    return AccountExposure(reported, source_of)


async def test_an_open_order_counts_whole_and_a_refused_one_not() -> None:
    """From its approval on; once refused it is forgotten, once canceled it counts as far as it traded."""
    exposure = exposure_of(ReportedExchange())
    exposure.approved("a", placed())
    exposure.approved("b", placed())
    assert (exposure.open_orders(), holding(exposure)) == (2, 10)
    exposure.answered("a", Response("r", "rejected", error=RequestError("InvalidOrder", "no")))
    exposure.answered("b", done("2", "open"))
    assert (exposure.open_orders(), holding(exposure)) == (1, 5)
    exposure.answered("cancel", Response("c", "done", order=order("2", "canceled", "2")))
    assert (exposure.open_orders(), holding(exposure)) == (0, 2)


async def test_what_was_sold_makes_room_as_soon_as_it_is_known() -> None:
    """A filled sale reduces the base currency, and adds to the quote currency while it is open already."""
    exposure = exposure_of(ReportedExchange())
    exposure.approved("buy", placed())
    exposure.answered("buy", done("1", "closed", "5", cost=Decimal(49)))
    exposure.approved("sell", placed("sell", "3", "30"))
    assert (holding(exposure), holding(exposure, "USDT")) == (5, -49 + 30)
    exposure.answered("sell", done("2", "closed", "3", cost=Decimal(31)))
    assert (holding(exposure), holding(exposure, "USDT")) == (2, -49 + 31)


async def test_the_exchange_settles_what_had_ended_before_it_was_asked() -> None:
    """Its balances hold what traded; what it lists is open; what is on its way counts beside."""
    reported = ReportedExchange()
    reported.balances = {"KCS": Balance(total=7.0)}
    reported.open = [Order(id="9", symbol="KCS/USDT", side="buy", remaining=Decimal(4), client_order_id="x")]
    exposure = exposure_of(reported)
    exposure.approved("ended", placed())
    exposure.answered("ended", done("1", "closed", "5"))
    exposure.approved("under way", placed())
    await exposure.confirm(with_positions=False)
    assert (exposure.open_orders(), holding(exposure)) == (2, 7 + 4 + 5)


async def test_an_answer_while_the_exchange_is_asked_is_not_lost() -> None:
    """An order that fills between the list of open orders and the balances counts twice, not never."""
    reported = ReportedExchange()
    exposure = exposure_of(reported)
    exposure.approved("a", placed())

    async def balances() -> Balances:
        exposure.answered("a", done("1", "closed", "5"))
        return {}

    reported.fetch_balance = balances  # type: ignore[method-assign]
    await exposure.confirm(with_positions=False)
    assert holding(exposure) == 5


async def test_what_ends_without_an_answer_is_as_the_exchange_lists_it() -> None:
    """It counts whole until the exchange is asked, then as far as it is open; one under way goes on counting."""
    reported = ReportedExchange()
    exposure = exposure_of(reported)
    for our_id in ("gone", "listed", "under way"):
        exposure.approved(our_id, placed())
    for our_id in ("gone", "listed"):
        exposure.unanswered(our_id)
    assert exposure.open_orders() == 3
    reported.open = [Order(id="9", symbol="KCS/USDT", side="buy", remaining=Decimal(4), client_order_id="listed")]
    await exposure.confirm(with_positions=False)
    assert (exposure.open_orders(), holding(exposure)) == (2, 4 + 5)


async def test_it_is_asked_again_only_after_a_pause(monkeypatch: Any) -> None:
    """Questions cost weight: within the pause what is known counts."""
    reported = ReportedExchange()
    exposure = exposure_of(reported)
    assert exposure.needs_confirming
    await exposure.confirm(with_positions=False)
    assert not exposure.needs_confirming
    reported.balances = {"KCS": Balance(total=5.0)}
    await exposure.confirm(with_positions=False)
    assert holding(exposure) == 0
    monkeypatch.setattr(module, "CONFIRM_PAUSE_S", 0)
    await exposure.confirm(with_positions=False)
    assert holding(exposure) == 5


async def test_what_is_borrowed_is_not_held() -> None:
    """The debt is taken off: what was lent and sold leaves less than nothing."""
    reported = ReportedExchange()
    for balance, held in ((Balance(total=5.0, debt=2.0), 3), (Balance(total=0.0, debt=2.0), -2)):
        reported.balances = {"KCS": balance}
        exposure = exposure_of(reported)
        await exposure.confirm(with_positions=False)
        assert holding(exposure) == held


async def test_an_edit_takes_the_place_of_its_order() -> None:
    """Both count while it is on its way, one as an open order; the edit itself is judged without the former one."""
    exposure, five = exposure_of(ReportedExchange()), Decimal(5)
    exposure.approved("a", placed())
    exposure.answered("a", done("1", "open"))
    exposure.approved("b", placed(base="6", replaces="1", replaced_left=five))
    assert (exposure.open_orders(), holding(exposure), holding(exposure, without="1", left=five)) == (1, 11, 6)
    exposure.answered("b", done("2", "open"))
    assert (exposure.open_orders(), holding(exposure)) == (1, 6)


async def test_what_an_edited_order_has_traded_counts_on() -> None:
    """4 of 5 were bought that no balance shows yet: an edit to 10 in all, 6 more, leads to 10."""
    exposure, left = exposure_of(ReportedExchange()), Decimal(1)
    exposure.approved("a", placed())
    exposure.answered("a", done("1", "open"))
    assert exposure.holding("KCS", adding=Decimal(6), side="buy", without="1", left=left) == 10
    exposure.approved("b", placed(base="6", replaces="1", replaced_left=left))
    exposure.answered("b", done("2", "open"))
    assert (exposure.open_orders(), holding(exposure)) == (1, 10)
    exposure.approved("c", placed(base="7", replaces="2", replaced_left=Decimal(6)))
    exposure.answered("c", done("3", "canceled", "0"))
    assert (exposure.open_orders(), holding(exposure)) == (0, 4)


async def test_contracts_count_long_or_short_whichever_is_larger() -> None:
    """2 BTC short, open orders to buy 5 and to sell 1: 3 long or 3 short, and 4 short with one more."""
    reported = ReportedExchange()
    reported.positions = [ExchangePosition("BTC/USDT:USDT", side="short", contracts=2000.0)]
    exposure = exposure_of(reported)
    await exposure.confirm(with_positions=True)
    for side, base in (("buy", "5"), ("sell", "1")):
        order = PlacedOrder("BTC/USDT:USDT", side, Decimal(base), Decimal(0), PERPETUAL)
        exposure.approved(side, order)
    assert holding(exposure, "BTC") == 3
    assert exposure.holding("BTC", adding=Decimal(1), side="sell", without=None) == 4


async def test_a_tenant_holds_what_all_its_accounts_hold() -> None:
    """Open orders and holdings are summed; of a source, its own orders alone."""
    one, two = exposure_of(ReportedExchange()), exposure_of(ReportedExchange())
    one.approved("a", placed(source="James"))
    two.approved("b", placed(source="Ann"))
    whole = BoundExposure(one, [two])
    assert (whole.open_orders(), whole.holding("KCS", adding=Decimal(1), side="buy")) == (2, 11)
    assert BoundExposure(one, [two], source="Ann").open_orders() == 1


@pytest.mark.parametrize("unsaid", ["symbol", "side", "amount"])
async def test_an_open_order_that_the_exchange_does_not_describe_is_not_taken_for_nothing(unsaid: str) -> None:
    """Whether a limit is kept cannot be told then."""
    reported = ReportedExchange()
    whole = order("2", "open", side="sell", amount=Decimal(5))
    reported.open = [msgspec.structs.replace(whole, **{unsaid: None})]
    with pytest.raises(Retryable, match="does not say"):
        await exposure_of(reported).confirm(with_positions=False)


async def test_orders_from_before_the_start_count_for_their_source() -> None:
    """Two of them under one id of ours, which some exchanges take, are two."""
    reported = ReportedExchange()
    reported.open = [order(number, "open", side="buy", amount=Decimal(5), client_order_id="ours") for number in "23"]
    exposure = exposure_of(reported, "James")
    await exposure.confirm(with_positions=False)
    assert (exposure.open_orders("James"), exposure.open_orders("Ann"), holding(exposure)) == (2, 0, 10)
