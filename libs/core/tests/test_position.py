"""The arithmetic of positions: what must hold of any fills, and cases worked out by hand."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.instrument import Instrument
from millrace_core.position import EXACT, Fee, Fill, Position, after, charged, digits

SPOT = Instrument.of("ETH/USDT")
_numbers = st.decimals(min_value="1e-8", max_value="1e8", places=8)
_fees = st.builds(
    Fee,
    st.decimals(min_value="-1e-8", max_value="1e-4", places=8),
    st.sampled_from(["ETH", "USDT", "BNB"]),
    st.one_of(st.none(), _numbers),
)
_charged = st.lists(_fees, max_size=3).map(tuple)
fills = st.lists(st.builds(Fill, st.just(0), st.booleans(), _numbers, _numbers, st.none(), _charged), max_size=30)


def buy(amount: str, price: str, *fees: Fee) -> Fill:
    """Make a fill."""
    return Fill(0, True, Decimal(price), Decimal(amount), None, fees)


def sell(amount: str, price: str, *fees: Fee) -> Fill:
    """Make a fill."""
    return buy(amount, price, *fees)._replace(is_buy=False)


def state(position: Position) -> tuple[str, ...]:
    """What two equal positions have in common."""
    return tuple(map(digits, (position.quantity, position.cost, position.realised, position.fees)))


def values(*fills: Fill, instrument: Instrument = SPOT) -> tuple[str, ...]:
    """Return quantity, cost, realised profit and fees after fills."""
    return state(after(Position(), fills, instrument))


def test_cases_worked_out_by_hand() -> None:
    """Long, short, through zero, and flat."""
    assert values(buy("2", "10"), buy("2", "20")) == ("4", "60", "0", "0")
    assert values(buy("2", "10"), buy("2", "20"), sell("1", "25")) == ("3", "45", "10", "0")
    assert values(sell("2", "10"), buy("1", "7")) == ("-1", "-10", "3", "0")
    assert values(buy("2", "10"), sell("3", "12")) == ("-1", "-12", "4", "0")
    assert values(sell("3", "10"), buy("3", "9")) == ("0", "0", "3", "0")


def test_a_part_of_a_cost_is_cut_after_24_decimals() -> None:
    """Thirds cannot be written down; the rest comes back when the position is closed."""
    three = (buy("3", "1"), buy("3", "1.000001"), buy("1", "1"))
    assert values(*three, sell("1", "2")) == ("6", "6.000002571428571428571428", "0.999999571428571428571428", "0")
    assert values(*three, sell("1", "2"), sell("6", "2")) == ("0", "0", "6.999997", "0")


def test_fees_in_each_currency() -> None:
    """In base they reduce what was received, in quote the profit; others by their value, or kept if it is unknown."""
    assert values(buy("2", "10", Fee(Decimal("0.5"), "ETH"))) == ("1.5", "20", "0", "5")
    assert values(sell("2", "10", Fee(Decimal("0.5"), "ETH"))) == ("-2.5", "-20", "0", "5")
    assert values(buy("2", "10", Fee(Decimal("0.5"), "USDT"))) == ("2", "20", "-0.5", "0.5")
    assert values(buy("2", "10", Fee(Decimal("0.5"), "BNB", Decimal(600)))) == ("2", "20", "-300", "300")
    unknown = after(Position(), [buy("2", "10", Fee(Decimal("0.5"), "BNB"))], SPOT)
    assert state(unknown) == ("2", "20", "0", "0")
    assert unknown.unvalued_fees == unknown.fees_by_currency == {"BNB": Decimal("0.5")}
    several = (Fee(Decimal("0.5"), "ETH"), Fee(Decimal("0.1"), "USDT"), Fee(Decimal("0.5"), "BNB", Decimal(600)))
    assert values(buy("2", "10", *several)) == ("1.5", "20", "-300.1", "305.1")


@given(fills.filter(bool))
def test_fees_that_are_reported_later_are_those_of_the_fill(fills: list[Fill]) -> None:
    """Of one that opens or grows the position all is the same; in any case no money is lost or made by it."""
    *earlier, last = fills
    before = after(Position(), earlier, SPOT)
    at_once = after(before, [last], SPOT)
    later = charged(after(before, [last._replace(fees=())], SPOT), last.fees, last.price, SPOT)
    assert later.quantity == at_once.quantity
    assert EXACT.subtract(later.realised, later.cost) == EXACT.subtract(at_once.realised, at_once.cost)
    assert (later.fees, later.fees_by_currency, later.trades) == (
        at_once.fees,
        at_once.fees_by_currency,
        at_once.trades,
    )
    if not before.quantity and at_once.quantity and (at_once.quantity > 0) == last.is_buy:
        assert later == at_once


def test_a_fee_in_base_of_a_fill_through_zero_is_shared() -> None:
    """What closes and what opens have the price that was paid for what was received."""
    quantity, cost, realised, _ = values(sell("1", "10"), buy("2.5", "8", Fee(Decimal("0.5"), "ETH")))
    assert (quantity, cost, realised) == ("1", "10", "0")


def test_contracts_count_by_the_value_of_the_fill() -> None:
    """A linear contract earns what its value gained, an inverse one what its value in base lost."""
    swap = Instrument.of("ETH/USDT:USDT")
    opened = buy("5", "2000")._replace(cost=Decimal(100))
    closed = sell("5", "2200", Fee(Decimal(1), "USDT"))._replace(cost=Decimal(110))
    assert values(opened, closed, instrument=swap) == ("0", "0", "9", "1")
    inverse = Instrument.of("ETH/USD:ETH-261225")
    opened, closed = (fill._replace(cost=Decimal(cost)) for fill, cost in ((opened, "0.025"), (sell("5", "1"), "0.02")))
    assert values(opened, closed, instrument=inverse) == ("0", "0", "0.005", "0")


@given(fills, st.integers(0, 30))
def test_fills_may_be_counted_in_any_portions(fills: list[Fill], cut: int) -> None:
    """Some now and the rest later leave the same position as all at once."""
    whole = after(Position(), fills, SPOT)
    assert after(after(Position(), fills[:cut], SPOT), fills[cut:], SPOT) == whole


@given(fills, st.data())
def test_splitting_a_fill_changes_nothing(fills: list[Fill], data: st.DataObject) -> None:
    """Two fills of one price are as one, also when they close a part or turn the position."""
    plain = [fill._replace(fees=()) for fill in fills]
    split: list[Fill] = []
    for fill in plain:
        part = data.draw(st.decimals(min_value=0, max_value=fill.amount, places=8))
        rest = EXACT.subtract(fill.amount, part)
        split += [fill._replace(amount=amount) for amount in (part, rest) if amount]
    assert state(after(Position(), split, SPOT)) == state(after(Position(), plain, SPOT))


@given(fills)
def test_no_money_is_lost_or_made(fills: list[Fill]) -> None:
    """Profit is cash plus cost, and the quantity is what came in less what went out, to the last digit."""
    cash = quantity = Decimal(0)
    for fill in fills:
        side = 1 if fill.is_buy else -1
        cash = EXACT.subtract(cash, EXACT.multiply(side * fill.price, fill.amount))
        quantity = EXACT.add(quantity, side * fill.amount)
        for fee in fill.fees:
            price = Decimal(1) if fee.currency == "USDT" else fee.price or Decimal(0)
            if fee.currency == "ETH":
                quantity = EXACT.subtract(quantity, fee.cost)
            else:
                cash = EXACT.subtract(cash, EXACT.multiply(fee.cost, price))
    found = after(Position(), fills, SPOT)
    assert found.quantity == quantity
    assert found.realised == EXACT.add(cash, found.cost)


def test_numbers_are_written_without_exponents() -> None:
    """As people write them."""
    shown = [digits(Decimal(text)) for text in ("1E+3", "0.10", "-0E-9", "1e-9", "100")]
    assert shown == ["1000", "0.1", "0", "0.000000001", "100"]
