"""The decimal digits of an order reach the exchange, and come back, as they were decided."""

from collections.abc import AsyncIterator
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from ccxt.base.decimal_to_precision import DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE, TRUNCATE
from hypothesis import given
from hypothesis import strategies as st
from libs.exchange.tests.contracts import Venue

from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_core.requests import CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Exchange, open_exchange
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.market_rules import CcxtMarketRules
from millrace_exchange.ccxt.recording.digits import DigitKeeper, Digits, decided
from millrace_exchange.ccxt.recording.recorded_exchange import recorded
from millrace_exchange.profiles import profile_of
from millrace_exchange.request_gate import RequestGate
from millrace_simulator.config import DEMO_ACCOUNT, Limits, SimulatorConfig
from millrace_simulator.server import Server, serve
from millrace_simulator.venue.rules import SymbolRules

ROOM = Decimal(10) ** 14
CASES = 40


def listing(base: str, tick: str, lot: str, price: str) -> SymbolRules:
    """A symbol without any limit but its steps."""
    return SymbolRules(
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        opening_price=Decimal(price),
        max_price=ROOM,
        max_quantity=ROOM,
        max_market_quantity=ROOM,
        min_notional=Decimal("0.00000001"),
        max_notional=ROOM * ROOM,
        percent_price_up=Decimal(1_000_000),
        percent_price_down=Decimal("0.000001"),
    )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An exchange with a symbol of long amounts (LONG) and one of long prices (DUST)."""
    config = SimulatorConfig(
        symbols=(listing("LONG", "1", "0.00000001", "100"), listing("DUST", "0.00000001", "1", "0.00001234")),
        accounts=(msgspec.structs.replace(DEMO_ACCOUNT, balances=dict.fromkeys(("USDT", "LONG", "DUST"), ROOM)),),
        limits=Limits(enforce=False),
    )
    async with await serve(config, drive_market=False) as started:
        yield started


@pytest.fixture
async def account(server: Server) -> AsyncIterator[Exchange]:
    """Its account."""
    keys = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": server.url})
    opened = await open_exchange("binance", keys)
    await opened.prepare()
    yield opened
    await opened.close()


def amounts(seed: int) -> list[Decimal]:
    """Amounts of up to eleven digits before the point and eight behind it, none of which a float holds."""
    random = Random(seed)
    drawn = [Decimal(random.randrange(1, 10**19)).scaleb(-8) for _ in range(CASES)]
    return [Decimal("12345678901.12345678"), Decimal("0.00000001"), Decimal("100000"), *drawn]


async def test_amounts_keep_every_digit(account: Exchange) -> None:
    """What the exchange says it has is what was decided, in the answer and when it is asked."""
    for number, amount in enumerate(amounts(seed=1)):
        order = CreatePayload(symbol="LONG/USDT", side="sell", type="limit", amount_base=amount, price=Decimal(101))
        placed = (await account.execution.create_order(order, f"n{number}")).orders[0]
        asked = await account.execution.fetch_order("LONG/USDT", client_order_id=f"n{number}")
        await account.execution.cancel_order(CancelPayload(symbol="LONG/USDT", order_id=placed.id))
        assert (placed.amount, placed.remaining, placed.filled) == (amount, amount, 0)
        assert asked is not None
        assert asked.amount == amount


async def test_prices_keep_every_digit_through_an_edit(account: Exchange) -> None:
    """Prices below 0.0001 print with an exponent as floats; an edit keeps the amount that it does not name."""
    random = Random(2)
    amount = Decimal(98_765_432_109)
    for number in range(CASES):
        first, then = (Decimal(random.randrange(2_000, 10**7)).scaleb(-8) for _ in range(2))
        order = CreatePayload(symbol="DUST/USDT", side="sell", type="limit", amount_base=amount, price=first)
        placed = (await account.execution.create_order(order, f"a{number}")).orders[0]
        edit = EditPayload(symbol="DUST/USDT", order_id=placed.id, price=then)
        edited = (await account.execution.edit_order(edit, f"b{number}")).orders[0]
        await account.execution.cancel_order(CancelPayload(symbol="DUST/USDT", order_id=edited.id))
        assert (placed.price, edited.price, edited.amount) == (first, then, amount)


async def test_a_small_amount_of_quote_currency_is_signed_and_spent_whole(exchange: Exchange) -> None:
    """As a float 0.00005 prints 5e-05, which breaks the signature: -1022, and the account was stopped."""
    order = CreatePayload(symbol="ETH/BTC", side="buy", type="market", amount_quote=Decimal("0.00005"))
    with pytest.raises(Exception, match="NOTIONAL"):
        await exchange.execution.create_order(order, "dust")


async def test_quote_currency_is_not_cut_to_the_tick_of_the_price(exchange: Exchange, venue: Venue) -> None:
    """What exactly seven lots cost buys seven: cut to the price's tick it would buy six."""
    best = (await venue.book("ETH/BTC")).asks[0]
    cost = 7 * Decimal("0.001") * Decimal(str(best[0]))
    assert best[1] >= 0.007
    assert cost % Decimal("0.00001"), "the case shows nothing where the cost is a multiple of the tick"
    order = CreatePayload(symbol="ETH/BTC", side="buy", type="market", amount_quote=cost)
    assert (await exchange.execution.create_order(order, "seven")).orders[0].filled == Decimal("0.007")


async def test_quote_currency_finer_than_the_exchange_counts_is_named(exchange: Exchange) -> None:
    """Nine decimals would be rounded somewhere on the way: that is said before anything is sent."""
    order = CreatePayload(symbol="ETH/BTC", side="buy", type="market", amount_quote=Decimal("0.123456789"))
    assert exchange.rules.precision_errors(order) == [
        "amountQuote 0.123456789 would be rounded: the quote step of ETH/BTC is 0.00000001"
    ]


@given(st.decimals(min_value=0, max_value=10**12, places=18).filter(bool), st.integers(-8, 2))
def test_a_decided_number_passes_any_step_and_others_are_rounded(number: Decimal, exponent: int) -> None:
    """Only what the request decided passes as it is, with all its digits and without an exponent."""
    step = 10.0**exponent
    before = DigitKeeper.decimal_to_precision(str(Digits(number)), TRUNCATE, step, TICK_SIZE)
    with decided(number):
        passed = DigitKeeper.decimal_to_precision(str(Digits(number)), TRUNCATE, step, TICK_SIZE)
        other = DigitKeeper.decimal_to_precision(str(Digits(number + 1)), TRUNCATE, step, TICK_SIZE)
    after = DigitKeeper.decimal_to_precision(str(Digits(number)), TRUNCATE, step, TICK_SIZE)
    assert Decimal(passed) == number
    assert "e" not in passed.lower()
    assert before == after
    assert Decimal(other) % Decimal(str(step)) == 0


@pytest.mark.parametrize("amount", ["1e21", "123456789012345678901234.12345678", "999999999999999999999999999999"])
async def test_numbers_of_any_length_are_judged(account: Exchange, amount: str) -> None:
    """Ccxt's own test divides with 28 digits and raises beyond: that failed the account, and all who waited for it."""
    order = CreatePayload(
        symbol="LONG/USDT", side="buy", type="limit", amount_base=Decimal(amount), price=Decimal("1e27")
    )
    odd = msgspec.structs.replace(order, price=Decimal("1000000000000000000000000000.5"))
    assert account.rules.precision_errors(order) == []
    assert account.rules.precision_errors(odd) == [
        "price 1000000000000000000000000000.5 would be rounded: the tick of LONG/USDT is 1"
    ]


@pytest.mark.parametrize(
    ("mode", "size", "right", "wrong", "step"),
    [
        (TICK_SIZE, 0.001, "1.001", "1.0001", "0.001"),
        (DECIMAL_PLACES, 3, "1.001", "1.0001", "0.001"),
        (SIGNIFICANT_DIGITS, 5, "12345000", "12345.6", "5 significant digits"),
    ],
)
def test_every_way_to_count_precision_is_known(mode: int, size: float, right: str, wrong: str, step: str) -> None:
    """Bitfinex counts significant digits, and lists its markets as arrays: every order there failed."""
    rules = CcxtMarketRules(SimpleNamespace(precisionMode=mode, markets={"A/B": market(size, info=["A", "B"])}))

    def errors(price: str) -> list[str]:
        order = CreatePayload(symbol="A/B", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(price))
        return rules.precision_errors(order)

    assert errors(right) == []
    assert errors(wrong) == [f"price {wrong} would be rounded: the tick of A/B is {step}"]


def market(tick: float, info: object) -> dict[str, Any]:
    """Return as much of a market of ccxt's as its rules are read from."""
    return {"precision": {"amount": None, "price": tick}, "info": info}


def test_ccxt_reads_a_decided_decimal_as_its_digits() -> None:
    """Ccxt's modules read an order's fields as text or numbers: a decimal would be nothing to them, and so be sent."""
    profile = profile_of(ExchangeId("hyperliquid"))
    ccxt = recorded(load_exchange("hyperliquid"))({"apiKey": "key"}, profile, RequestGate(profile))
    order = {"price": Digits("0.00005")}
    with decided(Decimal("0.00005")):
        assert ccxt.safe_string(order, "price") == "0.00005"
        assert ccxt.safe_number(order, "price") == 0.00005
        assert ccxt.json(order) == '{"price":"0.00005"}'
    assert ccxt.safe_string({"price": 1.5}, "price") == "1.5"
