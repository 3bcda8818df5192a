"""What leaves for the exchange: orders under our id, or nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.server import Reply, ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import EXCHANGES, create, outcome_of

from millrace_core.requests import CreatePayload
from millrace_exchange import ExchangeError, Fatal, Rejected

BALANCE = Reply(b'{"balances":[{"asset":"BTC","free":"1","locked":"0"}]}')
BAD_SIGNATURE = Reply(b'{"code":-1022,"msg":"Signature for this request is not valid."}', 400)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_an_order_leaves_under_our_id_with_the_digits_that_were_decided(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """The finished request is looked at, as the exchange gets it."""
    server.reply = Reply(b"{}")
    ours = account(exchange)
    # KuCoin's contracts are whole.
    amount = Decimal("12" if exchange == "kucoinfutures" else "12.5")
    payload = CreatePayload(symbol=ours.symbol, side="buy", type="limit", amount_base=amount, price=Decimal("20.25"))
    with pytest.raises(ExchangeError):
        await ours.create_order(payload, ours.our_id)
    sent = server.requests[-1].decode()
    assert ours.our_id in sent
    assert "20.25" in sent
    assert str(amount) in sent


@pytest.mark.parametrize("exchange", ["coinone", "cryptocom", "dydx"])
async def test_an_exchange_whose_orders_cannot_carry_our_id_is_not_traded_on(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """An order whose answer is lost could not be found there: it is refused, and nothing leaves."""
    assert isinstance(await outcome_of(account(exchange), create), Rejected)
    assert not any(request.startswith(b"POST") for request in server.requests)


@pytest.mark.parametrize(("balance", "meaning"), [(BALANCE, Rejected), (BAD_SIGNATURE, Fatal)])
async def test_a_refused_signature_ends_the_account_only_if_plain_questions_are_refused_too(
    balance: Reply, meaning: type[ExchangeError], server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """What one request holds may break its signature; the keys are as good as before."""
    server.answer = lambda request: balance if b"/account" in request else BAD_SIGNATURE
    assert type(await outcome_of(account("binance"), create)) is meaning


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


@pytest.mark.parametrize("value", [[], {"a": 1}, None])
async def test_a_request_that_ccxt_stumbles_over_is_refused_at_once(
    value: object, server: ScriptedServer, account: Callable[[str], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stumble over it again: nothing is tried until the validity ends."""
    ours = account("binance")
    monkeypatch.setattr(ours.ccxt, "create_order", lambda *_: int(value))  # type: ignore[call-overload]
    assert isinstance(await outcome_of(ours, create), Rejected)
