"""What leaves for the exchange: orders under our id, or nothing."""

import contextlib
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.answers.conftest import BINANCE, Account
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import EXCHANGES, create, edit, outcome_of
from msgspec.structs import replace

from millrace_core.names import ExchangeId
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import ExchangeError, Fatal, OutcomeUnknown, Rejected
from millrace_exchange.ccxt.recording.recorded_exchange import RecordedExchange
from millrace_exchange.profiles import profile_of

ONE = Decimal(1)
BALANCE = Reply(b'{"balances":[{"asset":"BTC","free":"1","locked":"0"}]}')
BAD_SIGNATURE = Reply(b'{"code":-1022,"msg":"Signature for this request is not valid."}', 400)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_an_order_leaves_under_our_id_with_the_digits_that_were_decided(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """The finished request is looked at, as the exchange gets it."""
    server.reply = Reply(b"{}")
    ours = account(exchange)
    await ours.fresh()
    # KuCoin's contracts are whole.
    amount = Decimal("12" if exchange == "kucoinfutures" else "12.5")
    payload = CreatePayload(symbol=ours.symbol, side="buy", type="limit", amount_base=amount, price=Decimal("20.25"))
    with pytest.raises(ExchangeError):
        await ours.create_order(payload, ours.our_id)
    sent = server.requests[-1].decode()
    assert ours.our_id in sent
    assert "20.25" in sent
    assert str(amount) in sent


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_nothing_of_an_account_changes_because_the_markets_are_loaded(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """On Hyperliquid ccxt would approve a fee to its makers, which each order pays, and enter them as the referrer."""
    server.reply = Reply(b'{"status":"ok","response":{"type":"default"}}')
    ours = account(exchange)
    for load in (ours.ccxt.fetch_currencies, ours.ccxt.fetch_markets):
        with contextlib.suppress(Exception):
            await load()
    await outcome_of(ours, create)
    sent = b" ".join(server.requests).lower()
    assert not any(word in sent for word in (b"builder", b"referrer", b"integrator"))


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_free_parameter_leaves_under_a_name_of_the_exchange(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Under ccxt's name the exchange would ignore it, and the order be done without."""
    server.reply = Reply(b"{}")
    ours = account(exchange)
    await ours.fresh()
    params = {"selfTradePrevention": "EXPIRE_MAKER"}
    bid = CreatePayload(symbol=ours.symbol, side="buy", type="limit", amount_base=ONE, price=ONE, params=params)
    with pytest.raises(ExchangeError):
        await ours.create_order(bid, ours.our_id)
    assert not any(
        b"selfTradePrevention" in request.replace(b"selfTradePreventionMode", b"") for request in server.requests
    )


_IN_BASE_OR_QUOTE = ("quantity=12", "quoteOrderQty=31.5")
SIZES: dict[str, tuple[str | None, ...]] = {
    "binance": _IN_BASE_OR_QUOTE * 2,
    "binance by socket": _IN_BASE_OR_QUOTE * 2,
    "binanceusdm": ("quantity=12", None, "quantity=12", None),
    "bitfinex": ('"amount":"12"', None, '"amount":"-12"', None),
    "bitget": (None, '"size":"31.5"', '"size":"12"', None),
    "bybit": ('"marketUnit":"baseCoin" "qty":"12"', '"marketUnit":"quoteCoin" "qty":"31.5"') * 2,
    "coinbase": (None, '"quote_size":"31.5"', '"base_size":"12"', None),
    "gate": (None, '"amount":"31.5"', '"amount":"12"', None),
    "hitbtc": ('"quantity":"12"', None, '"quantity":"12"', None),
    "htx": (None, '"amount":"31.5"', '"amount":"12"', None),
    "hyperliquid": (None, None, None, None),
    "kraken": ("volume=12&cl", "volume=31.5 oflags=viqc") * 2,
    "kucoin": ('"size":"12"', '"funds":"31.5"') * 2,
    "kucoinfutures": ('"size":12', '"valueQty":"31.5"') * 2,
    "mexc": _IN_BASE_OR_QUOTE * 2,
    "okx": ('"sz":"12" "tgtCcy":"base_ccy"', '"sz":"31.5" "tgtCcy":"quote_ccy"', '"sz":"12" "tgtCcy":"base_ccy"', None),
}
"""What leaves for a market buy of 12 in base, one of 31.5 in quote currency, and sells of both; None: it is refused.

Gate, HTX and Bitget take the amount of a buy for quote currency, and that of a sell for base.
"""


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("price", [None, Decimal(20)])
async def test_the_size_of_a_market_order_is_what_the_payload_says(
    exchange: str, price: Decimal | None, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Whatever its sender expects to pay, and whatever an account's options say; or nothing leaves."""
    server.reply = Reply(b"{}")
    ours = account(exchange)
    in_base, in_quote = {"amount_base": Decimal(12)}, {"amount_quote": Decimal("31.5")}
    orders = [(side, size) for side in ("buy", "sell") for size in (in_base, in_quote)]
    for options in ({}, {"tgtCcy": "quote_ccy"}, {"createMarketBuyOrderRequiresPrice": False}):
        ours.ccxt.options |= options
        for (side, size), sent in zip(orders, SIZES[exchange], strict=True):
            await ours.fresh()
            server.requests.clear()
            payload = CreatePayload(symbol=ours.symbol, side=side, type="market", price=price, **size)
            with pytest.raises(Rejected if sent is None else ExchangeError):
                await ours.create_order(payload, ours.our_id)
            assert len(server.requests) == (sent is not None)
            assert all(part in server.requests[-1].decode() for part in (sent or "").split())


@pytest.mark.parametrize("exchange", sorted(set(EXCHANGES) - {"kucoinfutures"}))
async def test_no_contract_is_sized_by_quote_currency(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Ccxt would send the cost as a number of contracts."""
    ours, symbol = account(exchange), "BTC/USDT:USDT"
    ours.lists(symbol)
    payload = CreatePayload(symbol=symbol, side="buy", type="market", amount_quote=Decimal(100))
    with pytest.raises(Rejected, match="amountQuote"):
        await ours.create_order(payload, ours.our_id)
    assert server.requests == []


SIZED_BY_QUOTE = [
    exchange for exchange in EXCHANGES if "buy" in profile_of(ExchangeId(exchange.partition(" ")[0])).quote_amounts
]


@pytest.mark.parametrize("exchange", SIZED_BY_QUOTE)
async def test_an_amount_in_quote_currency_leaves_as_it_was_decided(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Ccxt would cut it to the tick of the price, here 0.01, and buy less."""
    server.reply = Reply(b"{}")
    ours = account(exchange)
    await ours.fresh()
    payload = CreatePayload(symbol=ours.symbol, side="buy", type="market", amount_quote=Decimal("10.1234567"))
    with pytest.raises(ExchangeError):
        await ours.create_order(payload, ours.our_id)
    assert "10.1234567" in server.requests[-1].decode()


async def test_ccxt_hides_no_method_of_ours(account: Callable[[str], Account]) -> None:
    """It puts functions into its instances, which are found before the methods of a class."""
    ours = account("binance").ccxt
    names = {name for kind in RecordedExchange.__mro__[:-1] for name in vars(kind) if not name.startswith("_")}
    hidden = {name for name in names & vars(ours).keys() if callable(getattr(RecordedExchange, name))}
    assert hidden <= {"on_farewell"}


@pytest.mark.parametrize("exchange", ["coinone", "cryptocom", "dydx"])
async def test_an_exchange_whose_orders_cannot_carry_our_id_is_not_traded_on(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """An order whose answer is lost could not be found there: it is refused, and nothing leaves."""
    assert isinstance(await outcome_of(account(exchange), create), Rejected)
    assert not any(request.startswith(b"POST") for request in server.requests)


@pytest.mark.parametrize("place", BINANCE)
@pytest.mark.parametrize(("balance", "expected"), [(BALANCE, Rejected), (BAD_SIGNATURE, Fatal)])
async def test_a_refused_signature_ends_the_account_only_if_plain_questions_are_refused_too(
    place: str,
    balance: Reply,
    expected: type[ExchangeError],
    server: ScriptedServer,
    account: Callable[[str], Account],
) -> None:
    """What one request holds may break its signature; the keys are as good as before."""
    server.answer = lambda request: balance if b"/account" in request else BAD_SIGNATURE
    assert type(await outcome_of(account(place), create)) is expected


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"reduce_only": True}, "reduceOnly"),
        ({"time_in_force": "GTD"}, "timeInForce"),
    ],
)
async def test_a_flag_that_the_market_does_not_have_is_refused(
    terms: dict[str, Any], field: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Sent without it, the order would be another than was asked for."""
    ours = account("binance")
    payload = CreatePayload(
        symbol=ours.symbol, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(20), **terms
    )
    with pytest.raises(Rejected, match=field):
        await ours.create_order(payload, ours.our_id)
    assert server.requests == []


@pytest.mark.parametrize("exchange", ["coinbase", "hitbtc"])
async def test_an_order_until_a_time_that_is_not_said_is_refused_at_once(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Ccxt refuses it with its class for anything; trying again until the validity ends would change nothing."""
    ours = account(exchange)
    payload = CreatePayload(
        symbol=ours.symbol, side="buy", type="limit", amount_base=ONE, price=Decimal(20), time_in_force="GTD"
    )
    with pytest.raises(Rejected, match="GTD"):
        await ours.create_order(payload, ours.our_id)
    assert server.requests == []


async def test_no_order_in_a_contract_leaves_without_our_id(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """HTX's contracts take numbers: ccxt leaves ours out, and sends it once more under its own name of it."""
    ours = account("htx")
    ours.lists("BTC/USDT:USDT")
    payload = CreatePayload(symbol="BTC/USDT:USDT", side="buy", type="limit", amount_base=ONE, price=Decimal(20))
    with pytest.raises(Rejected, match="cannot carry our id"):
        await ours.create_order(payload, ours.our_id)
    assert server.requests == []


async def test_an_order_that_only_reduces_does_not_close_the_position(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """On Coinbase ccxt would close all of it at the market, whatever amount and price the order has."""
    ours = account("coinbase")
    ours.lists("BTC/USDT:USDT")
    payload = CreatePayload(
        symbol="BTC/USDT:USDT", side="sell", type="limit", amount_base=ONE, price=Decimal(20), reduce_only=True
    )
    with pytest.raises(Rejected, match="reduceOnly"):
        await ours.create_order(payload, ours.our_id)
    assert server.requests == []


MAKING: dict[str, tuple[str, str | None]] = {
    "binance": ("type=LIMIT_MAKER", "type=LIMIT& timeInForce=GTX"),
    "binance by socket": ("type=LIMIT_MAKER", "type=LIMIT& timeInForce=GTX"),
    "binanceusdm": ("type=LIMIT& timeInForce=GTX",) * 2,
    "bitfinex": ('"flags":4096',) * 2,
    "bitget": ('"force":"post_only"',) * 2,
    "bybit": ('"timeInForce":"PostOnly"',) * 2,
    "coinbase": ('"limit_limit_gtc" "post_only":true',) * 2,
    "gate": ('"time_in_force":"poc"', '"tif":"poc"'),
    "hitbtc": ('"post_only":true',) * 2,
    "htx": ('"type":"sell-limit-maker"', None),
    "hyperliquid": ('"tif":"Alo"',) * 2,
    "kraken": ("oflags=post", "oflags=post"),
    "kucoin": ('"postOnly":true',) * 2,
    "kucoinfutures": ('"postOnly":true',) * 2,
    "mexc": ("type=LIMIT_MAKER", '"type":2,'),
    "okx": ('"ordType":"post_only"',) * 2,
}
"""What makes an order one that only makes, as each exchange documents it: in a spot market, and in a contract."""


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_an_order_that_only_makes_stays_one(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Good till canceled is what it is anyway; at once or not at all is what it cannot be."""
    server.reply, ours = Reply(b"{}"), account(exchange)
    maker = CreatePayload(
        symbol=ours.symbol, side="sell", type="limit", amount_base=Decimal(12), price=Decimal(20), post_only=True
    )
    sent = []
    for time_in_force, post_only in ((None, True), ("GTC", True), ("PO", True), ("PO", False)):
        await ours.fresh()
        with pytest.raises(ExchangeError):
            await ours.create_order(replace(maker, time_in_force=time_in_force, post_only=post_only), ours.our_id)
        sent.append(_without_time(server.requests[-1]))
    assert len(set(sent)) == 1, sent
    in_spot, in_contract = MAKING[exchange]
    assert all(part in sent[0] for part in in_spot.split())
    server.requests.clear()
    for time_in_force in ("IOC", "FOK"):
        with pytest.raises(Rejected):
            await ours.create_order(replace(maker, time_in_force=time_in_force), ours.our_id)
    assert server.requests == []
    if in_contract is not None:
        contract = "BTC/USDT:USDT"
        ours.lists(contract)
        await ours.fresh()
        with pytest.raises(ExchangeError):
            await ours.create_order(replace(maker, symbol=contract, time_in_force="GTC"), ours.our_id)
        assert all(part in server.requests[-1].decode() for part in in_contract.split())


def _without_time(request: bytes) -> str:
    """Return a request without what differs each time: numbers of requests, times and signatures."""
    text = re.sub(r'"(signature|nonce|timestamp|id)": ?(\{[^}]*\}|"[^"]*"|\d+)', "", request.decode())
    return re.sub(r"(nonce|timestamp|signature|Timestamp|Signature)=[^& ]*", "", text)


async def test_an_amended_order_that_only_makes_stays_one(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Kraken lets it take unless the amendment says it again. A request that said it of another would refuse that."""
    server.reply, ours = Reply(b"{}"), account("kraken")
    for post_only in (True, False):
        await ours.fresh()
        ours.order = replace(ours.order, post_only=post_only)
        with pytest.raises(ExchangeError):
            await edit(ours)
        assert b"AmendOrder" in server.requests[-1]
        assert (b"post_only=true" in server.requests[-1]) == post_only


@pytest.mark.parametrize(("exchange", "word"), [("kucoin", "cancelAll"), ("hitbtc", "order"), ("gate", "orders")])
async def test_an_id_leads_to_no_other_endpoint(
    exchange: str, word: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """`DELETE …/orders/cancelAll` cancels every order. An id stands in the path only if it can be one."""
    ours = account(exchange)
    ours.knows = False
    for text in (word, word.upper(), "..", f"../{word}", f"{word}/cancel", "a?b", "a#b", "a\r\nb", "a b", "%2e%2e", ""):
        for named in ({"order_id": text}, {"client_order_id": text}):
            with contextlib.suppress(ExchangeError):
                await ours.cancel_order(CancelPayload(symbol=ours.symbol, **named))
            with contextlib.suppress(ExchangeError):
                await ours.fetch_order(ours.symbol, **named)
    # Open orders are asked for where none can be asked for by our id.
    changes = [request for request in server.requests if not request.startswith(b"GET")]
    assert changes == []
    assert not any(request.split()[1].partition(b"?")[0].endswith((b"/", b"/..")) for request in server.requests)


@pytest.mark.parametrize("value", [[], {"a": 1}, None])
async def test_a_request_that_ccxt_stumbles_over_is_refused_at_once(
    value: object, server: ScriptedServer, account: Callable[[str], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stumble over it again: nothing is tried until the validity ends."""
    ours = account("binance")
    monkeypatch.setattr(ours.ccxt, "create_order", lambda *_: int(value))  # type: ignore[call-overload]
    assert isinstance(await outcome_of(ours, create), Rejected)


HALVES = {"cancelResult": "SUCCESS", "newOrderResult": "FAILURE", "newOrderResponse": {"code": -2010, "msg": "no"}}


@pytest.mark.parametrize(
    ("code", "data", "expected", "said"),
    [
        (-2021, HALVES, Rejected, "the order was canceled, its replacement was refused"),
        (-2021, {**HALVES, "newOrderResult": "SUCCESS", "cancelResult": "FAILURE"}, OutcomeUnknown, "one half"),
        (-2022, {**HALVES, "cancelResult": "FAILURE", "newOrderResult": "NOT_ATTEMPTED"}, Rejected, "neither half"),
    ],
)
@pytest.mark.parametrize("place", BINANCE)
@pytest.mark.parametrize("is_answered", [True, False])
async def test_both_halves_of_a_replacement_are_reported_at_once(
    place: str,
    code: int,
    data: dict[str, Any],
    expected: type[ExchangeError],
    said: str,
    is_answered: bool,
    server: ScriptedServer,
    account: Callable[[str], Account],
) -> None:
    """A definite refusal is not in doubt, whether or not the order can be asked for afterwards."""
    ours = account(place)
    refusal = Reply(json.dumps({"code": code, "msg": "failed", "data": data}).encode(), 409)

    def answer(request: bytes) -> Reply:
        ours.knows = is_answered
        return refusal if request.startswith(b"POST") else Reply(b"{}")

    server.answer = answer
    outcome = await outcome_of(ours, edit)
    assert type(outcome) is expected
    assert said in str(outcome)


_NATIVE = """
quantity amount size sz qty volume vol ordersz base_size quoteOrderQty cost funds quoteQty notional symbol instId
market pair currency_pair productId product_id coin side type ordType orderType order_type price px limit_price
stopPrice triggerPrice stopLossPrice takeProfitPrice trailingPercent newClientOrderId clientOrderId clientOid
clOrdId cl_ord_id orderLinkId text client_order_id cid cloid recvWindow timestamp nonce signature apiKey
timeInForce tif force postOnly post_only reduceOnly reduce_only leverage marginMode tdMode account accountId
account-id subAccountId vaultAddress category options oflags flags brokerId test hedged closePosition icebergQty
listClientOrderId orders ordId orderId id ids cancelReplaceMode
"""
NATIVE = _NATIVE.split()
"""Names under which exchanges take what a payload has a field for, and what would place another order, or elsewhere."""


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_parameter_names_nothing_that_the_payload_has(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """In no spelling, not inside another, for no action; nothing leaves."""
    ours, symbol = account(exchange), account(exchange).symbol
    for params in [*({name: "1"} for name in NATIVE), {"selfTradePrevention": {"quantity": "9"}}]:
        bid = CreatePayload(symbol=symbol, side="buy", type="limit", amount_base=ONE, price=ONE, params=params)
        tries = (
            ours.create_order(bid, ours.our_id),
            ours.cancel_order(CancelPayload(symbol=symbol, order_id="1", params=params)),
            ours.edit_order(EditPayload(symbol=symbol, order_id="1", price=ONE, params=params), ours.our_id),
            ours.cancel_all_orders(CancelAllPayload(symbol=symbol, params=params)),
        )
        for attempt in tries:
            with pytest.raises(Rejected):
                await attempt
    assert server.requests == []
