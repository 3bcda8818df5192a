"""What an account could come to hold never falls below what it does hold, whatever ends when."""

from collections.abc import Sequence
from dataclasses import replace
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
INVERSE = MarketTerms("BTC", "USD", True, Decimal(100), True)


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

    def terms(self, symbol: str) -> MarketTerms | None:
        """Return those of a spot market, of a perpetual, or none of a market that was delisted."""
        if symbol == "OLD/USDT:USDT":
            return None
        return INVERSE if symbol.endswith(":BTC") else PERPETUAL if ":" in symbol else SPOT


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time in seconds that an exposure sees, to be set."""
    now_s = [1_000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now_s[0])
    return now_s


def placed(side: str = "buy", base: str = "5", quote: str = "50", **others: Any) -> PlacedOrder:
    return PlacedOrder("KCS/USDT", side, Decimal(base), Decimal(quote), SPOT, **others)


def order(number: str, status: str, filled: str = "0", **others: Any) -> Order:
    number = "".join([*number])  # as it is read: equal, not the same
    return Order(id=number, symbol="KCS/USDT", status=status, filled=Decimal(filled), **others)


def done(number: str, status: str, filled: str = "0", **others: Any) -> Response:
    return Response("r", "done", order=order(number, status, filled, **others))


def holding(exposure: AccountExposure, currency: str = "KCS", side: str = "buy", **replaced: Any) -> Decimal:
    currency = "".join([*currency])  # as it is read: equal, not the same
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
    exposure.approved("for BTC", replace(placed("sell", "1", "3"), market=MarketTerms("KCS", "BTC")))
    assert (holding(exposure), holding(exposure, "BTC")) == (2, 3)


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


async def test_it_is_asked_again_only_after_a_pause(clock: list[float]) -> None:
    """Questions cost weight: within the pause what is known counts, which has to be confirmed every minute."""
    reported = ReportedExchange()
    exposure = exposure_of(reported)
    assert exposure.needs_confirming
    await exposure.confirm(with_positions=False)
    for clock[0], needs in ((1_030.0, False), (1_060.0, False), (1_060.1, True)):
        assert exposure.needs_confirming is needs
    reported.balances = {"KCS": Balance(total=5.0), "BTC": Balance()}
    for clock[0], held in ((1_004.9, 0), (1_005.0, 5)):
        await exposure.confirm(with_positions=False)
        assert (holding(exposure), holding(exposure, "BTC")) == (held, 0)


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


@pytest.mark.parametrize(
    ("side", "most", "with_one_sold", "with_one_bought"), [("short", 3, 4, 4), ("long", 7, 7, 8), ("", 5, 5, 6)]
)
async def test_contracts_count_long_or_short_whichever_is_larger(
    side: str, most: int, with_one_sold: int, with_one_bought: int
) -> None:
    """2 BTC long or short, or none, with open orders to buy 5 and to sell 1; of another currency it counts nothing."""
    reported = ReportedExchange()
    others = [ExchangePosition(symbol, "long", contracts=9.0) for symbol in ("OLD/USDT:USDT", "AB/USD:BTC", "ZZ/BTC")]
    held = [ExchangePosition("BTC/USDT:USDT", side=side, contracts=2000.0, mark_price=50.0)] if side else []
    reported.positions = others + held
    exposure = exposure_of(reported)
    await exposure.confirm(with_positions=True)
    assert holding(exposure, "BTC") == (2 if side else 0)
    for each, base in (("buy", "5"), ("sell", "1")):
        exposure.approved(each, PlacedOrder("BTC/USDT:USDT", each, Decimal(base), Decimal(9), PERPETUAL))
    for code in ("AB", "ZZ"):
        market = msgspec.structs.replace(PERPETUAL, base=code)
        exposure.approved(code, PlacedOrder(f"{code}/USDT:USDT", "buy", Decimal(9), Decimal(9), market))
    assert holding(exposure, "BTC") == most
    assert exposure.holding("BTC", adding=Decimal(1), side="sell", without=None) == with_one_sold
    assert exposure.holding("BTC", adding=Decimal(1), side="buy", without=None) == with_one_bought
    assert holding(exposure, "USDT") == 0, "contracts are settled, not received"


async def test_positions_are_asked_for_once_an_order_is_one_of_contracts(clock: list[float]) -> None:
    """From then on every time: what is held is not forgotten when a spot order is judged."""
    reported = ReportedExchange()
    reported.positions = [ExchangePosition("BTC/USDT:USDT", "long", contracts=2000.0)]
    exposure = exposure_of(reported)
    for with_positions, held in ((False, 0), (True, 2), (False, 2)):
        await exposure.confirm(with_positions=with_positions)
        assert holding(exposure, "BTC") == held
        clock[0] += 5.0


async def test_contracts_are_counted_in_base_currency_whoever_reports_them() -> None:
    """As positions, as open orders and as what was filled; inverse ones, of 100 USD, by the price."""
    reported = ReportedExchange()
    reported.positions = [ExchangePosition("BTC/USD:BTC", "long", contracts=1.0, mark_price=40.0)]
    reported.open = [
        Order(id="11", symbol="BTC/USD:BTC", side="buy", remaining=Decimal(2), price=Decimal(50)),
        Order(id="12", symbol="BTC/USDT:USDT", side="buy", amount=Decimal(3000)),
    ]
    exposure = exposure_of(reported)
    await exposure.confirm(with_positions=True)
    assert holding(exposure, "BTC") == Decimal("2.5") + 4 + 3
    for number, filled in (("11", 1), ("12", 2000)):
        order = Order(
            id=number, status="canceled", filled=Decimal(filled), average=Decimal(50) if filled == 1 else None
        )
        exposure.answered("cancel", Response("c", "done", order=order))
    assert holding(exposure, "BTC") == Decimal("2.5") + 2 + 2
    assert exposure.open_orders() == 0


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
    """Whether a limit is kept cannot be reported then."""
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


async def test_an_open_order_is_worth_its_price_or_else_its_trigger() -> None:
    """A sale may add that much quote currency; of one with neither nothing is known."""
    reported = ReportedExchange()
    terms: list[dict[str, Any]] = [{"price": Decimal(10), "trigger_price": Decimal(9)}, {"trigger_price": Decimal(11)}]
    for each, worth in zip([*terms, {}], (40, 44, 0), strict=True):
        reported.open = [order("9", "open", side="sell", remaining=Decimal(4), amount=Decimal(5), **each)]
        exposure = exposure_of(reported)
        await exposure.confirm(with_positions=False)
        assert (holding(exposure, "USDT"), holding(exposure, "KCS"), holding(exposure, "BTC")) == (worth, 0, 0)


async def test_orders_are_known_by_our_id_or_else_by_symbol_and_number(clock: list[float]) -> None:
    """An edit may name either; what is not listed any more has ended."""
    reported = ReportedExchange()
    buy: dict[str, Any] = {"side": "buy", "remaining": Decimal(4)}
    reported.open = [
        order("11", "open", client_order_id="ours", **buy),
        order("12", "open", **buy),
        Order(id="12", symbol="KCS/BTC", **buy),
    ]
    exposure = exposure_of(reported)
    await exposure.confirm(with_positions=False)
    assert exposure.open_orders() == 3
    for named, held in (("ours", 8), ("11", 8), ("another", 12)):
        assert holding(exposure, without=named, left=Decimal(4)) == held
    reported.open, clock[0] = reported.open[:1], 1_005.0
    await exposure.confirm(with_positions=False)
    assert exposure.open_orders() == 1


async def test_only_the_order_that_ended_is_taken_for_ended() -> None:
    """An answer to a cancel names it by its number, which other symbols may have too; an open one has not ended."""
    exposure = exposure_of(ReportedExchange())
    for number in ("10", "11", "12"):
        exposure.approved(number, placed())
        exposure.answered(number, done(number, "open"))
    for reported, still_open in (
        (order("11", "open"), 3),
        (msgspec.structs.replace(order("11", "canceled"), symbol="KCS/BTC"), 3),
        (msgspec.structs.replace(order("11", "canceled"), symbol=None), 2),
    ):
        exposure.answered("cancel", Response("c", "done", order=reported))
        assert exposure.open_orders() == still_open
    exposure.answered("all", Response("a", "done", orders=[order("10", "canceled", "1"), order("12", "canceled", "2")]))
    exposure.answered("nothing", Response("n", "failed", error=RequestError("OrderNotFound", "no")))
    assert (exposure.open_orders(), holding(exposure)) == (0, 3)


async def test_how_much_an_order_traded_may_not_be_known() -> None:
    """Then all that it may have traded counts, as that of one that failed does not, whatever is reported of it."""
    exposure = exposure_of(ReportedExchange())
    for our_id in ("unsaid", "failed"):
        exposure.approved(our_id, placed("sell"))
    reported = Order(id="11", symbol="KCS/USDT", status="canceled")
    exposure.answered("unsaid", Response("r", "done", order=reported))
    exposure.answered("failed", Response("r", "failed", order=reported))
    assert (exposure.open_orders(), holding(exposure, "USDT")) == (0, 50)


async def test_a_sale_whose_trades_the_balances_may_hold_makes_no_room() -> None:
    """It was open when the exchange was asked, on its way or listed: what was sold since, and what before?"""
    reported = ReportedExchange()
    reported.balances = {"KCS": Balance(total=7.0)}
    reported.open = [order("11", "open", side="sell", remaining=Decimal(4))]
    exposure = exposure_of(reported)
    exposure.approved("on its way", placed("sell"))
    await exposure.confirm(with_positions=False)
    exposure.answered("on its way", done("12", "closed", "5"))
    exposure.answered("cancel", Response("c", "done", order=order("11", "canceled", "1")))
    assert (exposure.open_orders(), holding(exposure)) == (0, 7)


@pytest.mark.parametrize(
    ("base", "left", "sold", "earned"),
    [("5", "1", 4, "40.8"), ("5", None, 0, "51"), ("5", "6", 0, "0"), ("0", "0", 0, "0")],
)
async def test_what_an_edited_sale_has_traded_counts_on(base: str, left: str | None, sold: int, earned: str) -> None:
    """As far as that is known; if not, it may have sold all or nothing."""
    exposure = exposure_of(ReportedExchange())
    exposure.approved("a", placed("sell", base, "51"))
    exposure.answered("a", done("11", "open"))
    exposure.approved(
        "b", placed("sell", "6", "60", replaces="11", replaced_left=None if left is None else Decimal(left))
    )
    exposure.answered("b", done("12", "open"))
    assert (holding(exposure), holding(exposure, "USDT")) == (-sold, Decimal(earned) + 60)


async def test_an_order_that_was_edited_in_place_is_found_by_its_number() -> None:
    """It kept its number, and the second edit names it by the id of ours that only the first request had."""
    exposure = exposure_of(ReportedExchange())
    exposure.approved("other", placed(base="7"))
    exposure.answered("other", done("12", "open"))
    for our_id, replaces, left in (("a", None, None), ("b", "11", Decimal(3)), ("c", "a", Decimal(5))):
        exposure.approved(our_id, placed(replaces=replaces, replaced_left=left))
        exposure.answered(our_id, done("11", "open"))
    assert (exposure.open_orders(), holding(exposure)) == (2, 2 + 5 + 7)


async def test_the_source_of_an_order_is_that_of_its_request_here_or_else_what_redis_knows(clock: list[float]) -> None:
    """Both are open on the exchange."""
    reported = ReportedExchange()
    exposure = exposure_of(reported, "James")
    exposure.approved("here", placed(source="Ann"))
    exposure.answered("here", done("11", "open"))
    reported.open = [
        order(number, "open", side="buy", amount=Decimal(5), client_order_id=our_id)
        for number, our_id in (("11", "here"), ("12", "before"))
    ]
    await exposure.confirm(with_positions=False)
    assert (exposure.open_orders("Ann"), exposure.open_orders("James"), exposure.open_orders()) == (1, 1, 2)
